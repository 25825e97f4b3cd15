"""A case proven: the run of a stage, the proofs, tables, diagnostics."""
