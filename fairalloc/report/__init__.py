"""The season as a page to look at."""
