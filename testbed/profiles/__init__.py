"""Proving clusters: each profile is a cluster that stands for somebody's, and is reached as a live target."""
