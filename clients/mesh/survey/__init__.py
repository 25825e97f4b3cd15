"""What is on the cluster before the run: mesh, injection, settings, objects of others."""
