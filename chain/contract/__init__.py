"""The contract: its source, its compiled artifact and what the client needs to know of them."""
