"""Manifests of the front door and of IAP keep to the namespaces of their process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.apply.overlay import Overlay
from clients.apply.references import namespaces_in
from clients.identity import certificates
from clients.identity.tokens import TokenIssuer
from clients.mesh.egress_gateway import EgressGateway
from reports.record.model import TargetInfo
from runner.target.descriptor import TargetDescriptor
from runner.target.template_values import Scope, template_values

pytestmark = pytest.mark.unit

MANIFESTS = Path(__file__).parents[3] / "manifests"
SCOPE = Scope("w0-", EgressGateway(), certificates.issue(["a.example"]), "198.18.0.1")
VALUES = template_values(TargetDescriptor(TargetInfo("embedded")), TokenIssuer(), SCOPE)
NAMESPACES = namespaces_in([(str(one), one.read_text()) for one in MANIFESTS.rglob("*.yaml")])
NEVER_MADE = "in-istio-system"
"""Tried by dry run only, in the mesh's own namespace."""


@pytest.mark.parametrize(
    ("address", "expected"), [("198.18.0.1", "198.18.0.1/32"), ("fd00::1", "fd00::1/128")], ids=["IPv4", "IPv6"]
)
def test_the_range_of_this_machine_has_no_other_address(address: str, expected: str) -> None:
    """A range of 32 bits of an IPv6 address has every client of its network."""
    scope = replace(SCOPE, own_address=address)
    values = template_values(TargetDescriptor(TargetInfo("embedded")), TokenIssuer(), scope)
    overlay = Overlay("w0-", "r1", "gw0", {}, "", values, NAMESPACES)
    found = [
        body["spec"]
        for name in ("front/beyond/authorization.yaml", "iap/network/only-load-balancer.yaml")
        for body in overlay.objects((MANIFESTS / name).read_text(), name)
    ]
    assert [one for one in map(str, found) if f"'{expected}'" in one] == list(map(str, found))


def manifests() -> list[Path]:
    found = sorted([*(MANIFESTS / "front").rglob("*.yaml"), *(MANIFESTS / "iap").rglob("*.yaml")])
    return [path for path in found if path.stem != NEVER_MADE]


@pytest.mark.parametrize("path", manifests(), ids=[str(path.relative_to(MANIFESTS)) for path in manifests()])
def test_a_manifest_reaches_no_other_process(path: Path) -> None:
    """Everything is in a prefixed namespace, and what selects pods of all namespaces selects by a prefixed label."""
    values = VALUES | {"jwks": "{}", "scope": "w0-", "unprivileged": "cni"}
    images = {name: f"{name}:1" for name in ("envoy", "sleep", "httpbin", "cartservice")}
    overlay = Overlay("w0-", "r1", "gw0", images, "", values, NAMESPACES)
    for body in overlay.objects(path.read_text(), path.name):
        meta: dict[str, Any] = body["metadata"]
        home = meta["name"] if body["kind"] == "Namespace" else meta["namespace"]
        assert home.startswith("w0-")
        if body["kind"] == "Gateway" and body["apiVersion"].startswith("networking.istio.io"):
            assert all(value.startswith("w0-") for value in body["spec"]["selector"].values())
        if body["kind"] == "ConfigMap":
            assert yaml.safe_load(body["data"]["envoy.yaml"])["static_resources"]
