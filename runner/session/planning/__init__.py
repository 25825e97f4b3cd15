"""What a run is going to prove: selection, plan, mistakes in it, and which process does what and when."""
