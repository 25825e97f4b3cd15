"""Mutants of gateways: the front door's routes and keys, what gateways believe, settings of the mesh."""
