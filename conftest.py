"""Entry of the pytest plugin; its options and fixtures are in `runner/`."""

# pytester is for the tests of the plugin; pytest takes it from here only.
pytest_plugins = ["runner.session.plugin", "pytester"]
