"""Labels of new namespaces that admission policies change, and pods that are then in the mesh."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cluster_fakes import FakeCluster
from test_preflight import tried

from clients.apply.item import Item
from clients.kube.pods import SIDECAR, Pod
from clients.mesh.capabilities.capabilities import CapabilityName
from clients.model.errors import AccessError, ClusterError
from clients.proof.preflight.label_checks import labels, outside
from clients.proof.preflight.shown import Shown, Tried
from runner.target.capabilities import Capabilities
from runner.target.preflight import corrected, end_where_blocked

pytestmark = pytest.mark.unit

PLAIN = CapabilityName.PLAINTEXT_CLIENT.value
OUTSIDER, SERVER = (Pod("mp-canary", f"{name}-1", containers=(name,)) for name in ("outsider", "plain"))
PODS = {"outsider": OUTSIDER, "plain": SERVER}
"""As they have to be: outside."""


def compared(sent: dict[str, str], found: dict[str, str]) -> Tried | None:
    cluster = FakeCluster()
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mp-canary"}}
    cluster.put({**body, "metadata": {**body["metadata"], "labels": found}})
    return labels(cluster, [Item("m", {**body, "metadata": {**body["metadata"], "labels": sent}})])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sent", "found", "says"),
    [
        (
            {"istio-injection": "disabled"},
            {"istio-injection": "enabled"},
            "istio-injection is enabled, disabled was sent",
        ),
        (
            {"istio-injection": "enabled"},
            {"istio-injection": "enabled", "istio.io/dataplane-mode": "ambient"},
            "istio.io/dataplane-mode is ambient, which was not sent",
        ),
        ({"meshproof.dev/run": "r"}, {"team": "a"}, "meshproof.dev/run is not there, r was sent"),
    ],
)
def test_changed_labels_are_named(sent: dict[str, str], found: dict[str, str], says: str) -> None:
    line = compared(sent, found)
    assert line
    assert (line.ok, line.blocks, line.detail) == (False, False, says)
    assert "meshproof.dev/run" in line.hint


def test_labels_of_others_are_no_change() -> None:
    sent = {"istio-injection": "enabled"}
    assert compared(sent, {**sent, "kubernetes.io/metadata.name": "mp-canary", "team": "a"}) is None


@pytest.mark.parametrize(
    "found",
    [
        {"istio.io/rev": "1-31", "istio-injection": "enabled"},  # counts before the revision
        {"istio.io/rev": "stable"},
        {"team": "a"},
    ],
)
def test_a_run_ends_where_another_revision_would_be_proven(found: dict[str, str]) -> None:
    line = compared({"istio.io/rev": "1-31"}, found)
    assert line
    with pytest.raises(ClusterError, match=r"labels of new namespaces: .*; another revision injects then"):
        end_where_blocked(Shown((line,)), ())


def test_a_revision_that_injection_counts_before_ends_nothing() -> None:
    line = compared({"istio-injection": "enabled"}, {"istio-injection": "enabled", "istio.io/rev": "x"})
    assert line
    end_where_blocked(Shown((line,)), ())


def test_labels_that_cannot_be_read_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AccessError("may not get namespaces")

    monkeypatch.setattr(FakeCluster, "get", refuse)
    assert compared({"istio-injection": "disabled"}, {"istio-injection": "enabled"}) is None


@pytest.mark.parametrize(
    ("pods", "says"),
    [
        ({**PODS, "plain": replace(SERVER, containers=("plain", SIDECAR))}, "mp-canary/plain-1 has a sidecar"),
        (
            {**PODS, "outsider": replace(OUTSIDER, in_ambient=True)},
            "mp-canary/outsider-1 has its requests taken by its node's proxy (ambient mode)",
        ),
    ],
)
def test_a_client_that_is_in_the_mesh_proves_nothing_about_plaintext(pods: dict[str, Pod], says: str) -> None:
    """It sent mutual TLS, was let in, and the mesh was said to let plaintext in."""
    changes = Tried("labels of new namespaces", False, "istio-injection is enabled, disabled was sent")
    shown = Shown().plus(outside(pods, changes) or Shown())
    found = corrected(Capabilities((PLAIN,), {}), shown)
    assert found.names == ()
    assert found.lacks[PLAIN].startswith(f"tried: {says}; istio-injection is enabled, disabled was sent; exempt")


def test_clients_outside_change_nothing() -> None:
    for pods in (PODS, {"plain": SERVER}, {}):
        found = corrected(Capabilities((PLAIN,), {}), Shown().plus(outside(pods, None) or Shown()))
        assert found.names == (PLAIN,)


def test_the_canary_looks_at_a_namespace_that_opts_out(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = tried(monkeypatch, inside=["outsider"], relabels={"istio-injection": "enabled"})
    assert shown.plaintext_client is False
    lacks = corrected(Capabilities((PLAIN,), {}), shown).lacks[PLAIN]
    assert lacks.startswith("tried: canary-plain/outsider-1 has a sidecar; istio-injection is enabled, disabled was")
    assert tried(monkeypatch).plaintext_client is None


def test_changed_labels_are_named_where_nothing_gets_a_sidecar(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = tried(monkeypatch, late=["client"], relabels={"istio-injection": "disabled"})
    with pytest.raises(ClusterError, match="; istio-injection is disabled, enabled was sent"):
        end_where_blocked(shown, ())
