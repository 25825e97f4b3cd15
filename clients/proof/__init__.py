"""The proof of a case: the run of a stage, the proof steps, tables, diagnostics."""
