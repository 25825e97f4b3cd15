"""Mutants that leave one way open of many: one place, host, port, method or page."""
