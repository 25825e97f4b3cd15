"""Runs compared: what differs, by case and control, between one run and another, or between several and several."""

from reports.diff.compare import Change, Difference, compare
from reports.diff.environment import environment

__all__ = ["Change", "Difference", "compare", "environment"]
