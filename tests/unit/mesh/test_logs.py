"""Logs that are read until they show a request: how long each is waited for, and which are left out."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import FakeCluster, FakeLogs, entry

from clients.kube.pods import SIDECAR, Pod
from clients.mesh.access_logs import logs
from clients.mesh.access_logs.logs import LogSource, Reading

pytestmark = pytest.mark.unit

POD = Pod("shop", "cart-1", containers=("server", "porter", SIDECAR), ready=True)
PORTER, PROXY = LogSource(POD, "porter"), LogSource(POD, SIDECAR)
PRINTED = {"porter": "served mp-1", SIDECAR: entry("mp-1", "200", "-", "10.0.0.9:7001")}


class Reader(FakeCluster):
    """Counts the readings of each container; its log is there from a certain reading on."""

    def __init__(self, comes_at: dict[str, int]) -> None:
        super().__init__()
        self.comes_at = comes_at
        self.read: dict[str, int] = {}

    def logs(self, pod: Pod, container: str, **_: Any) -> str:
        self.read[container] = number = self.read.get(container, 0) + 1
        return PRINTED[container] if container in self.comes_at and number >= self.comes_at[container] else ""


class Waiting(FakeLogs):
    """A clock that only waiting moves."""

    now = 1000.0

    def wait(self, seen: int, timeout_s: float) -> None:
        Waiting.now += min(timeout_s, 0.01)
        super().wait(seen, 0.0)


@pytest.fixture(autouse=True)
def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "time", SimpleNamespace(monotonic=lambda: Waiting.now))


def read(cluster: Reader, passing: Callable[[], list[str]] = lambda: ["mp-1"]) -> tuple[Reading, float]:
    began = Waiting.now
    made = logs.read_up_to(Waiting(cluster), [POD], passing, since=0.0, budget_s=30.0, access_log=True)
    return made, Waiting.now - began


def test_an_application_and_the_sidecar_are_enough_and_no_other_container_is_waited_for() -> None:
    cluster = Reader({"porter": 1, SIDECAR: 3})
    made, _ = read(cluster)
    assert set(made.lines) == {PORTER, PROXY}


def test_an_application_that_prints_nothing_is_waited_for_a_moment() -> None:
    made, took_s = read(Reader({SIDECAR: 1}))
    assert set(made.lines) == {PROXY}
    assert logs.PRINTED_S <= took_s < logs.SILENT_S


def test_a_sidecar_that_logs_nothing_is_waited_for_longer() -> None:
    made, took_s = read(Reader({"porter": 1}))
    assert set(made.lines) == {PORTER}
    assert logs.SILENT_S <= took_s < 30.0


def test_a_log_that_comes_late_is_among_them() -> None:
    made, _ = read(Reader({"porter": 5, SIDECAR: 1}))
    assert set(made.lines) == {PORTER, PROXY}


def test_a_pod_that_shows_nothing_is_missing_and_asked_again() -> None:
    asked: list[int] = []

    def passing() -> list[str]:
        asked.append(1)
        return ["mp-1"]

    cluster = Reader({})
    made = logs.read_up_to(Waiting(cluster), [POD], passing, since=0.0, budget_s=30.0, access_log=True)
    assert made.missing == ("shop/cart-1",)
    assert len(asked) > 2


def test_a_pod_is_named_once_for_all_of_its_logs():
    web, other = Pod("a", "web-1"), Pod("a", "web-2")
    sources = [LogSource(other, "web"), LogSource(web, SIDECAR), LogSource(web, "web")]
    assert logs.in_words(sources) == "a/web-1 (web, istio-proxy), a/web-2 (web)"
    assert logs.in_words([]) == ""
