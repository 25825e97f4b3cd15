"""Fixtures of the tests of proofs."""

from __future__ import annotations

import pytest

from clients.mesh import logs
from clients.proof import decided, denial, log_entries, trace


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs are waited for only as long as fakes need."""
    for module in (denial, trace, log_entries, decided):
        monkeypatch.setattr(module, "LOG_BUDGET_S", 0.3)
    monkeypatch.setattr(decided, "FLUSHED_S", 0.05)
    monkeypatch.setattr(logs, "SILENT_S", 0.05)
    monkeypatch.setattr(logs, "PRINTED_S", 0.05)
