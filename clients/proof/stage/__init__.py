"""The run of a stage: its change is made, awaited by markers, and put back."""
