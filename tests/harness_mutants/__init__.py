"""Mutants of the harness itself: each is one wrong line in the code that decides, and the unit tests must notice it."""
