"""Mutants of the mesh: each spoils the real one from outside, and each must cost its controls their pass."""
