"""Proving clusters: each profile is a cluster that stands for clusters of users, and is reached as a live target."""
