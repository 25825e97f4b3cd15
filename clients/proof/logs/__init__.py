"""What logs of proxies and applications show of a case's requests."""
