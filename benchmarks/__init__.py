"""Figures, each side by side with what a user would do instead: `./meshproof bench NAME [--json FILE]`."""
