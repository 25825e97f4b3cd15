"""A command that ends with an error closes its connection to the cluster; an embedding process would else keep it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from runner.commands import cleanup, doctor, doctor_policies, hold, run
from runner.config.settings import Settings
from runner.target import identity, targets

pytestmark = pytest.mark.unit


class UnforeseenError(Exception):
    """No command catches it."""


class FailingConnection:
    """Every call but that to close it fails."""

    server = "https://127.0.0.1:6443"

    def __init__(self) -> None:
        self.closed = 0

    def __getattr__(self, name: str) -> Any:
        raise UnforeseenError(f"no answer to {name}")

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> FailingConnection:
    made = FailingConnection()
    there = SimpleNamespace(connect=lambda: made, images={"traffic": "traffic:1"}, context="")
    settings = Settings()
    target = SimpleNamespace(
        kind="live",
        settings=settings,
        starts_itself=False,
        access=lambda _: there,
        look=lambda _: there,
        name=lambda *_: "live cluster",
    )
    monkeypatch.setattr(targets, "of", lambda _: target)
    monkeypatch.setattr(identity, "check", lambda _: None)
    return made


COMMANDS: dict[str, Callable[[], object]] = {
    "hold start": lambda: hold.start(),
    "hold check": lambda: hold.check(),
    "hold mark": lambda: hold.mark(name="a change"),
    "hold stop": lambda: hold.stop(),
    "cleanup": lambda: cleanup.cleanup(run="", dry_run=False, force=False),
    "cleanup --dry-run": lambda: cleanup.cleanup(run="", dry_run=True, force=False),
    "doctor": lambda: doctor.cluster(targets.of(Settings())),
    "doctor --policies": lambda: doctor_policies.show(targets.of(Settings()), as_json=False),
    "run": lambda: run.look_first(targets.of(Settings())),
}
"""What each command does with the cluster."""


@pytest.mark.parametrize("command", COMMANDS)
def test_an_error_closes_the_connection(connection: FailingConnection, command: str) -> None:
    with pytest.raises(UnforeseenError, match="no answer to"):
        COMMANDS[command]()
    assert connection.closed == 1
