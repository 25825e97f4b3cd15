"""Settings, the catalogue of controls, folders of a run."""
