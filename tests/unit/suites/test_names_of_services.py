"""Full names of Services in manifests: each is sent in the domain of the cluster."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
HELD = "hold"
"""Its values are others; `tests/unit/hold/test_held_traffic.py` looks at it."""
TEXTS = {
    path.relative_to(MANIFESTS).as_posix(): path.read_text()
    for path in sorted(MANIFESTS.rglob("*.yaml"))
    if path.relative_to(MANIFESTS).parts[0] != HELD
}
NAMING = [name for name, text in TEXTS.items() if "svc.cluster.local" in text]
IMAGES = dict.fromkeys(re.findall(r"image: meshproof/([\w-]+)", "".join(TEXTS.values())), "a/b:1")


def test_there_are_such_manifests() -> None:
    assert len(NAMING) > 20


@pytest.fixture(scope="module")
def overlay() -> Overlay:
    scope = Scope("w0-", EgressGateway(), certificates.issue(["a.example"]), "198.18.0.1")
    values = template_values(TargetDescriptor(TargetInfo("live")), TokenIssuer(), scope)
    return Overlay("w0-", "r1", "gw0", IMAGES, "", values, namespaces_in(TEXTS.items()), domain="corp.internal")


@pytest.mark.parametrize("name", NAMING)
def test_no_name_keeps_the_domain_of_the_manifests(overlay: Overlay, name: str) -> None:
    there = str(overlay.objects(TEXTS[name], name))
    assert "svc.cluster.local" not in there
    assert "svc.corp.internal" in there
