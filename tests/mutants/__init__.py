"""Mutants of the mesh: each breaks the real one from outside, and its controls must no longer pass."""
