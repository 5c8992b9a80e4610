"""A season published through every fault that a seed can think of, on a real EVM and a real database."""
