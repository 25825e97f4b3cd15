"""Fixtures of the tests of proofs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from convergence_fakes import FakeTime

from clients.mesh.access_logs import logs
from clients.model.outcome import Outcome
from clients.probe.confirmation_row import ProbeMany
from clients.probe.converge import converge
from clients.probe.convergence import Convergence
from clients.proof import prove
from clients.proof.logs import complete_logs, log_entries
from clients.proof.stage import client_reach, observation
from clients.proof.steps import answered, decided, denial, trace

PROBE_S = 0.0001


def by_own_clock(probe: ProbeMany, *words: Any, **how: Any) -> Convergence:
    """`converge` by a clock that only probing and waiting move: a busy machine ends no budget."""
    clock = FakeTime()
    clock.now = time.monotonic()

    def send(count: int) -> Sequence[Outcome]:
        clock.now += PROBE_S * count
        return probe(count)

    return converge(send, *words, **{"clock": clock.clock, "sleep": clock.sleep, **how})


@pytest.fixture(autouse=True)
def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets of convergence do not depend on how busy the machine is."""
    for module in (client_reach, denial, observation, prove):
        monkeypatch.setattr(module, "converge", by_own_clock)


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs are waited for only as long as fakes need."""
    for module in (answered, denial, trace, log_entries, complete_logs):
        monkeypatch.setattr(module, "LOG_BUDGET_S", 0.3)
    monkeypatch.setattr(decided, "FLUSHED_S", 0.05)
    monkeypatch.setattr(logs, "SILENT_S", 0.05)
    monkeypatch.setattr(logs, "PRINTED_S", 0.05)
