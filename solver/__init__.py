"""Problem in, allocation and certificate out, and the checker that trusts neither."""
