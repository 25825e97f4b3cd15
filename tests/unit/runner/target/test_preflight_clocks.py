"""What the preflight says of clocks: which count for verdicts, and which do not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from clients.kube.exec import ExecResult
from clients.kube.pods import Pod
from clients.model.errors import InfrastructureError, NoTimeError
from clients.proof.preflight import cluster_checks

pytestmark = pytest.mark.unit

PODS = {name: Pod("canary", f"{name}-1") for name in ("client", "outsider", "server", "plain")}


def ahead(seconds: float) -> Any:
    """A cluster whose API server's clock is ahead of this machine's."""
    return SimpleNamespace(api=SimpleNamespace(time=lambda: time.time() + seconds))


@pytest.mark.parametrize("seconds", [600.0, -600.0])
def test_a_wrong_clock_of_this_machine_is_named_with_what_does_not_depend_on_it(seconds: float) -> None:
    found = cluster_checks.clock(ahead(seconds))
    assert (found.ok, found.blocks) == (False, False)
    assert found.detail == "the API server's differs by 600 s"
    assert found.hint.startswith("no verdict depends on it")
    assert cluster_checks.clock(ahead(1.0)).ok


def test_an_api_server_that_states_no_time_is_named() -> None:
    def silent() -> float:
        raise NoTimeError("cluster a states no time")

    found = cluster_checks.clock(SimpleNamespace(api=SimpleNamespace(time=silent)))  # type: ignore[arg-type]
    assert (found.ok, found.detail) == (False, "cluster a states no time")


def lines(monkeypatch: pytest.MonkeyPatch, off_s: dict[str, float], server_s: float = 0.0) -> list[tuple[str, str]]:
    """What is said where the clocks of these clients' nodes are ahead of the API server's by so much."""

    def printed(_: Any, pod: Pod, container: str, command: Sequence[str], *, timeout_s: float) -> ExecResult:
        assert (list(command), pod) == (["date", "+%s"], PODS[container])
        if container not in off_s:
            raise InfrastructureError("no such program")
        return ExecResult(0, f"{time.time() + server_s + off_s[container]:.0f}\n", "")

    monkeypatch.setattr(cluster_checks, "exec_once", printed)
    found = list(cluster_checks.node_clocks(ahead(server_s), PODS))
    assert not any(one.ok or one.blocks for one in found)
    return [(one.detail, one.hint) for one in found]


def test_nodes_clocks_are_compared_with_the_api_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that expired 5 min ago is good by the clock of a node that is behind, and no mesh is to blame."""
    [(detail, hint)] = lines(monkeypatch, {"client": 1.0, "outsider": -400.0}, server_s=3600.0)
    assert detail.startswith(("that of a node is 40", "that of a node is 39"))
    assert detail.endswith("behind the API server's")
    assert "just expired fail" in hint
    [(detail, hint)] = lines(monkeypatch, {"client": 100.0})
    assert "ahead of" in detail
    assert "expired" not in hint
    assert lines(monkeypatch, {"client": 1.0, "outsider": -1.0}) == []
    assert lines(monkeypatch, {}) == []
