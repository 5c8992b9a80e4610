"""The contract, the node it lives on, the client that writes to it and the replay that reads it back."""
