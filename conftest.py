"""Loads the pytest plugin; its options and fixtures are in `runner/`."""

# pytester is for the tests of the plugin; pytest loads it only from here.
pytest_plugins = ["runner.session.plugin", "pytester"]
