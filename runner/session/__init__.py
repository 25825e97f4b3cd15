"""The pytest side of a run: plugin, fixtures, plan, schedule, record."""
