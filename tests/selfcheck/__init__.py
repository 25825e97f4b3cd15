"""`./meshproof selfcheck`: the figures that say how far a verdict can be trusted (docs/trust.md)."""
