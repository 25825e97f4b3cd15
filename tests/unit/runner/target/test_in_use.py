"""A refused run names the holder and what a killed one left in force for the whole mesh."""

from __future__ import annotations

import os
import socket

import pytest
from cluster_fakes import FakeCluster, labelled

from clients.kube.lease import in_use
from clients.model.errors import AccessError, ConflictError
from runner.commands import cleanup
from runner.target import in_use as page

pytestmark = pytest.mark.unit
HERE = socket.gethostname()
BUSY = in_use("ann@host pid 4711")


def cluster(*namespaces: str) -> FakeCluster:
    made = FakeCluster()
    made.put(*(labelled("PeerAuthentication", "mesh-wide-mtls", namespace) for namespace in namespaces))
    made.put(labelled("AuthorizationPolicy", "theirs", "istio-system", run=""))
    return made


def test_holder_and_what_is_in_force() -> None:
    error = page.in_use_error(cluster("istio-system"), BUSY, "ann@host pid 4711")
    assert error.message == (
        "the cluster is in use by ann@host pid 4711; in force for the whole mesh: PeerAuthentication "
        "istio-system/mesh-wide-mtls (run run-1)"
    )
    assert "`meshproof cleanup` removes what it left, once its lease has expired" in error.hint


@pytest.mark.parametrize(
    ("holder", "ended"),
    [
        (f"ann@{HERE} pid 4999999", True),
        (f"ann@{HERE} pid {os.getpid()}", False),
        ("ann@elsewhere pid 4999999", False),
        ("something else", False),
    ],
    ids=["ended", "this process", "another machine", "no process"],  # equal in all processes of pytest
)
def test_a_process_of_this_machine_that_ended_needs_no_waiting(holder: str, ended: bool) -> None:
    assert page.ended_here(holder) is ended
    assert page.in_use_error(cluster("istio-system"), BUSY, holder).hint.endswith("what it left, now") is ended


@pytest.mark.parametrize("made", [cluster(), cluster("mtls-service")], ids=["nothing", "in its own namespace"])
def test_without_a_mesh_wide_change_the_error_is_as_before(made: FakeCluster) -> None:
    assert page.in_use_error(made, BUSY) is BUSY


def test_what_may_not_be_listed_does_not_hide_the_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> list[dict[str, object]]:
        raise AccessError("no right")

    monkeypatch.setattr(FakeCluster, "objects", refuse)
    assert page.in_use_error(cluster("istio-system"), BUSY) is BUSY


def test_cleanup_says_the_same_with_its_own_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "holder", lambda _: "ann@elsewhere pid 1")
    with pytest.raises(ConflictError, match=r"in force for the whole mesh: .*mesh-wide-mtls") as caught:
        cleanup.refuse_while_in_use(cluster("istio-system"))  # type: ignore[arg-type]
    assert "use --force" in caught.value.hint
