"""Mutants that look right: answers, logs, identities and copies that another part of the mesh makes."""
