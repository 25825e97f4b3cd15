"""What is handed to the programs of a node."""

from __future__ import annotations

import pytest

from testbed import enclosure

pytestmark = pytest.mark.unit


def test_variables_of_the_caller_stay_with_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMPDIR", "HTTPS_PROXY", "KUBECONFIG", "GOMAXPROCS"):
        monkeypatch.setenv(name, "/of/this/machine")
    assert set(enclosure.own_environment()) == {"PATH", "HOME"}
