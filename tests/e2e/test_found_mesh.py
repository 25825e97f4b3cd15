"""A mesh that is not open as it was found: hardened by its owner, logging in a format of its own, or not at all.

The owner's objects and configuration are put on the embedded cluster by hand; the run reaches it as a live target, with
the shipped role and no other right.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e_runs import EndedRun, conform, controls

from clients.kube.cluster import Cluster
from testbed import api
from tests.mutants.workloads import identity

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

ROOT_NAMESPACE = "istio-system"
SPREAD_S = 5.0
"""Seconds for istiod to notice a changed configuration."""
SECURITY = "security.istio.io/v1"
STRICT = {
    "apiVersion": SECURITY,
    "kind": "PeerAuthentication",
    "metadata": {"name": "default", "namespace": ROOT_NAMESPACE},
    "spec": {"mtls": {"mode": "STRICT"}},
}
DENY_ALL = {
    "apiVersion": SECURITY,
    "kind": "AuthorizationPolicy",
    "metadata": {"name": "allow-nothing", "namespace": ROOT_NAMESPACE},
    "spec": {},
}
JUDGES = {
    "apiVersion": SECURITY,
    "kind": "RequestAuthentication",
    "metadata": {"name": "every-namespace", "namespace": ROOT_NAMESPACE},
    "spec": {"jwtRules": [{"issuer": "https://issuer.example.com", "jwks": '{"keys": []}'}]},
}
OWN_FORMAT = {"accessLogFormat": "%START_TIME% %REQ(X-REQUEST-ID)% %RESPONSE_CODE%\n"}
PROVEN = controls("LAB-PERM-01", "LAB-PERM-03", "LAB-NSMTLS-02", "LAB-NSMTLS-03", "LAB-JWT-02", "LAB-AUTHZ-01")
"""What needs an open mesh before, and a denial."""
DENIALS = {"LAB-NSMTLS-03"}


@contextmanager
def configured(cluster: Cluster, **changed: Any) -> Iterator[None]:
    """The mesh's configuration, changed; None takes a setting out."""
    [found] = [one for one in cluster.objects("v1", "ConfigMap", ROOT_NAMESPACE) if one["metadata"]["name"] == "istio"]
    text = found["data"]["mesh"]
    wanted = {name: value for name, value in (yaml.safe_load(text) | changed).items() if value is not None}
    cluster.patch("v1", "ConfigMap", "istio", ROOT_NAMESPACE, {"data": {"mesh": yaml.safe_dump(wanted)}})
    time.sleep(SPREAD_S)
    try:
        yield
    finally:
        cluster.patch("v1", "ConfigMap", "istio", ROOT_NAMESPACE, {"data": {"mesh": text}})
        time.sleep(SPREAD_S)


@contextmanager
def owned(cluster: Cluster, *bodies: dict[str, Any]) -> Iterator[None]:
    """Objects of the mesh's owner."""
    try:
        for body in bodies:
            cluster.create(body)
        yield
    finally:
        for body in bodies:
            cluster.delete(body["apiVersion"], body["kind"], body["metadata"]["name"], ROOT_NAMESPACE)


def as_live(cluster: Cluster, testbed: api.Up, scratch: Path, *words: str) -> EndedRun:
    images = {f"MESHPROOF_IMAGES__{name.upper()}": image for name, image in testbed.images.items()}
    with identity.restricted(cluster, scratch) as kubeconfig:
        where = ("--kubeconfig", str(kubeconfig), "--context", identity.NAME, "--budget", "60")
        return conform(scratch, *where, *words, environment=images)


def test_a_hardened_mesh_conforms(cluster: Cluster, testbed: api.Up, tmp_path: Path) -> None:
    with (
        owned(cluster, STRICT, DENY_ALL),
        configured(cluster, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"}, **OWN_FORMAT),
    ):
        ran = as_live(cluster, testbed, tmp_path, *PROVEN)
        assert cluster.get(SECURITY, "PeerAuthentication", "default", ROOT_NAMESPACE), "the owner's own are left alone"
    assert set(ran.verdicts.values()) == {"pass"}, ran.verdicts
    assert ran.code == 0, ran.output[-3000:]
    found = "; ".join(ran.report["target"]["in_force"])
    assert "PeerAuthentication istio-system/default (STRICT)" in found
    assert "allow-nothing (ALLOW)" in found
    assert {name for name, case in ran.cases.items() if case["grade"] == "reduced"} == DENIALS, "no known log says why"


def test_tokens_that_the_owner_s_policy_judges_are_not_sent(cluster: Cluster, testbed: api.Up, tmp_path: Path) -> None:
    """It answers 401 to a token of the run's own issuer, before any change of a stage."""
    with owned(cluster, JUDGES):
        ran = as_live(cluster, testbed, tmp_path, *controls("LAB-JWT-02", "LAB-NSMTLS-03"))
    assert ran.verdicts["LAB-JWT-02"] == "skip", ran.verdicts
    assert "RequestAuthentication istio-system/every-namespace judges tokens" in ran.cases["LAB-JWT-02"]["reason"]
    assert ran.verdicts["LAB-NSMTLS-03"] == "pass", "what sends no token is proven"
    assert ran.code == 0, ran.output[-3000:]


def test_a_mesh_without_access_logs_gets_them_in_the_run_s_namespaces(
    cluster: Cluster, testbed: api.Up, tmp_path: Path
) -> None:
    with configured(cluster, accessLogFile=None):
        ran = as_live(cluster, testbed, tmp_path, *controls("LAB-NSMTLS-03", "LAB-JWT-02"))
    assert set(ran.verdicts.values()) == {"pass"}, ran.verdicts
    assert {one["verdict"] for case in ran.cases.values() for one in case["findings"]} == {"pass"}


def test_without_the_telemetry_right_proofs_are_of_reduced_grade_at_once(
    cluster: Cluster, testbed: api.Up, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role of an owner who leaves the optional right out."""
    whole = identity._objects

    def without(*, mesh_wide: bool) -> list[Any]:
        bodies = whole(mesh_wide=mesh_wide)
        for body in bodies:
            if body.get("rules"):
                body["rules"] = [rule for rule in body["rules"] if rule["apiGroups"] != ["telemetry.istio.io"]]
        return bodies

    monkeypatch.setattr(identity, "_objects", without)
    with configured(cluster, accessLogFile=None):
        ran = as_live(cluster, testbed, tmp_path, *controls("LAB-NSMTLS-03"))
    case = ran.cases["LAB-NSMTLS-03"]
    assert (case["verdict"], case["grade"]) == ("pass", "reduced")
    assert "the mesh writes no access log" in str(case["findings"])
