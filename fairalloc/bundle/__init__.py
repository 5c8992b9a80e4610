"""What a season publishes: plain files that are enough to check everything, with nothing personal in them."""
