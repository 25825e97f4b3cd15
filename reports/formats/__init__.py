"""Evidence as other programs and terminals read it: a module for each format."""
