"""What flows: cases, stages, expectations, outcomes, evidence, errors. Imports no other room."""
