"""The long-lived connection of the egress suite: slow is not cut, and cut is not slow."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from clients.model.errors import InfrastructureError
from clients.model.probe import Workload
from suites.egress import stream

pytestmark = pytest.mark.unit


class Answers:
    """An exec session whose curl answers at a rate of its own, until it is cut. Time is its own as well."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, per_s: float, cut_at: float = 1e9, again: bool = False) -> None:
        self.now, self.read = 0.0, 0
        self.per_s, self.cut_at, self.again = per_s, cut_at, again
        monkeypatch.setattr(stream, "ExecSession", lambda *_, **__: self)
        monkeypatch.setattr(stream.time, "monotonic", lambda: self.now)

    def read_until(self, complete: Callable[[str], bool], timeout_s: float) -> str:
        deadline, text = self.now + timeout_s, ""
        while not complete(text):
            if self.now >= deadline:
                raise InfrastructureError("no complete answer")
            self.now = min(deadline, self.now + 0.05)
            while self.read < int(min(self.now, self.cut_at) * self.per_s) + 1:
                text += f"{self.read} 200 {int(self.read == 0 or (self.again and self.read == 3))}\n"
                self.read += 1
        return text


def opened() -> stream.Stream:
    rig: Any = SimpleNamespace(
        workloads=SimpleNamespace(pods=lambda _: ["pod"]),
        overlay=SimpleNamespace(url=lambda url: url),
        cluster=None,
    )
    return stream.Stream(rig, Workload("team-x", "raw", "raw"), "http://plain/")


@pytest.mark.parametrize("per_s", [4.0, 1.0, 0.5])
def test_a_slow_connection_is_not_taken_for_a_cut_one(per_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch, per_s)
    one = opened()
    answers.now = 60.0
    assert one.problem() is None


def test_a_cut_connection_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch, 4.0, cut_at=58.0)
    one = opened()
    answers.now = 60.0
    assert "no further answer" in (one.problem() or "")


def test_a_second_connection_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch, 4.0, again=True)
    one = opened()
    answers.now = 60.0
    assert "opened a connection: 0, 3" in (one.problem() or "")
