"""Mutants of authorization policies: rules, selectors, precedence, and what only looks like a rule."""
