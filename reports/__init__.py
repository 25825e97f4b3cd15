"""The evidence of a run as conformance JSON, and every report that is derived from it."""
