"""What of a run is news, and its way to those who want to know."""
