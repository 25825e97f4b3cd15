"""Figures, each side by side with what a user would do instead: `./meshproof bench NAME [--json FILE]`."""

import sys
from pathlib import Path

# Python puts the folder of a script that it runs first on its path, where testbed.py would hide the package testbed.
sys.path[:] = [place for place in sys.path if Path(place).resolve() != Path(__file__).resolve().parent]
