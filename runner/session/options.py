"""Options of the pytest plugin. Those of settings have no default here, so that file and environment count."""

from __future__ import annotations

from typing import Any

import pytest

from runner.config.option import options
from runner.config.settings import Settings
from runner.target.targets import help_of

SETTINGS = {name: option for name, option in options(Settings).items() if option.pytest}
"""Settings that pytest has an option for; their values are validated with all settings."""


def add(parser: pytest.Parser) -> None:
    """Register them."""
    group = parser.getgroup("meshproof", "meshproof: what is tested, and where")
    group.addoption("--control", action="append", default=[], metavar="ID", help="Only this control; repeatable.")
    group.addoption("--tag", action="append", default=[], metavar="TAG", help="Only controls with it; repeatable.")
    group.addoption("--skip-tag", action="append", default=[], metavar="TAG", help="No control with it; repeatable.")
    group.addoption("--rerun-failed", metavar="RUN", help="Only cases of this run that did not pass.")
    for name, option in SETTINGS.items():
        value: dict[str, Any] = {"metavar": option.metavar}
        if option.switch:
            value = {"action": "store_const", "const": True}
        group.addoption(*option.flags.split("/"), dest=name, default=None, help=help_of(name, option), **value)
    group.addoption(
        "--meshproof-run", metavar="FOLDER", help="internal: folder of a run whose reports the caller writes"
    )
    group.addoption("--meshproof-plan", metavar="FILE", help="internal: write what would run to this file")


def given(config: pytest.Config) -> dict[str, Any]:
    """The settings that the command line names; None where it does not."""
    return {name: config.getoption(name, None) for name in SETTINGS}
