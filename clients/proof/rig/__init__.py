"""What a test process probes with: pods, clients, requests, and how certain it must be."""
