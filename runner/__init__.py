"""How a run is conducted: settings, command line, and the pytest plugin. Ties clients, reports and testbed together."""
