"""What the commands do: each service is one stage of a season, and may be run again after any interruption."""
