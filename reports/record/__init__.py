"""The record of a run: its journal, and `conformance.json` of every schema, with what both contain."""
