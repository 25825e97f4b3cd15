"""What a mesh can do: names, detectors, and what was found."""
