"""Pods are known by their namespaces too: of a StatefulSet each first pod is `web-0`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cluster_fakes import CLIENT, SERVER_POD, FakeRig, answered

from clients.mesh.external_hosts import ExternalHosts
from clients.proof.logs.route import route
from clients.proof.steps import denial

pytestmark = pytest.mark.unit

ALLOWED = CLIENT.get("http://httpbin.mtls-service:8000/ip", token="valid")


@pytest.mark.parametrize(("namespace", "same"), [("mtls-service", True), ("another", False)])
def test_a_pod_of_the_same_name_in_another_namespace_is_another_pod(namespace: str, same: bool) -> None:
    """The twin's server was taken for the case's, or a server for the egress gateway."""
    own = [replace(SERVER_POD, name="web-0")]
    rig: Any = FakeRig(lambda _, name: answered(200, name))
    rig.servers = [replace(SERVER_POD, name="web-0", namespace=namespace)]
    assert denial._reaches(rig, ALLOWED, own) is same
    rig.gateways = own
    assert denial._are_gateway(rig, rig.servers) is same
    rig.external = ExternalHosts({"example.com": "198.51.100.10"})
    assert route(rig, ALLOWED).external is same
