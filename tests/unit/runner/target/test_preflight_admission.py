"""Annotations that a run can do without are left out where the cluster refuses them; nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from cluster_fakes import FakeCluster

from clients.mesh.discovery import MeshInfo
from clients.model.errors import ClusterError
from clients.proof.preflight.shown import Shown
from runner.config.settings import Settings
from runner.target.access import Access
from runner.target.fitting import KEPT
from runner.target.preflight import canary

pytestmark = pytest.mark.unit

SAFE = "cluster-autoscaler.kubernetes.io/safe-to-evict"
WARDEN = (
    'admission webhook "gkepolicy.common-webhooks.networking.gke.io" denied the request: GKE Warden rejected the '
    "request because it violates one or more constraints. Violations details: "
    f'{{"[denied by autogke-node-affinity-selector-limitation]":["Auto GKE disallows use of {SAFE}=false annotation"]}}'
)
"""As users of GKE Autopilot before 1.27 have had it (Loki on Kubernetes, issue 47)."""


class Autopilot(FakeCluster):
    """Refuses workloads for one of their annotations, and perhaps all of them for another reason."""

    refusal = ""

    def apply(self, body: dict[str, Any], *, manager: str, dry_run: bool = False) -> dict[str, Any]:
        if body["kind"] == "Deployment":
            annotations = body["spec"]["template"]["metadata"].get("annotations", {})
            if SAFE in annotations or self.refusal:
                raise ClusterError(WARDEN if SAFE in annotations else self.refusal)
        return super().apply(body, manager=manager, dry_run=dry_run)


def admitted(cluster: FakeCluster, settings: Settings) -> Shown:
    there = Access(images={"sleep": "s", "httpbin": "h"})
    made = canary(cluster, settings, there, MeshInfo(), "run-1")  # type: ignore[arg-type]
    return made._admit()


def test_an_annotation_that_the_cluster_refuses_is_left_out() -> None:
    """No run began on Autopilot: it refuses workloads that no autoscaler may move."""
    cluster = Autopilot()
    shown = admitted(cluster, Settings(context="x"))
    assert [line.ok for line in shown.lines] == [True]
    assert f"accepted without the annotation {SAFE}, which is refused" in shown.lines[0].detail
    assert shown.refused_annotations == (SAFE,)
    others = set(KEPT) - {SAFE}
    made = [body for (kind, *_), body in cluster.store.items() if kind == "Deployment"]
    assert made
    assert all(body["spec"]["template"]["metadata"]["annotations"].keys() >= others for body in made)


def test_what_is_refused_without_it_too_is_refused() -> None:
    cluster = Autopilot()
    cluster.refusal = "no"
    [line] = admitted(cluster, Settings(context="x")).lines
    assert (line.ok, line.blocks) == (False, True)
    assert line.detail.endswith(": no")


def test_what_the_user_asks_for_is_not_left_out() -> None:
    given = Settings.model_validate({"context": "x", "pods": {"annotations": {SAFE: "false"}}})
    [line] = admitted(Autopilot(), given).lines
    assert not line.ok
    assert SAFE in line.detail


def test_a_cluster_that_takes_them_gets_them() -> None:
    shown = admitted(FakeCluster(), Settings(context="x"))
    assert shown.refused_annotations == ()
    assert shown.lines[0].detail == "a namespace with workloads is accepted"
