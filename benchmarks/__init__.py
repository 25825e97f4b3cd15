"""Measurements, each compared with what a user would do instead: `./meshproof bench NAME [--json FILE]`."""
