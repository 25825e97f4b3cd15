"""What others put into every new namespace: it decided about a run's requests, and the mesh was blamed."""

from __future__ import annotations

from typing import Any

import pytest
from test_prior import WithTelemetry, body

from clients.kube.labels import MANAGED_BY_LABEL, MANAGER
from clients.mesh.survey.generated import Generated, look
from clients.model.errors import AccessError

pytestmark = pytest.mark.unit


def generated(kind: str, name: str, spec: dict[str, Any], **labels: str) -> dict[str, Any]:
    made = body(kind, name, spec, **labels)
    return {**made, "metadata": {**made["metadata"], "namespace": "mp-canary"}}


def looked(*bodies: dict[str, Any]) -> Generated:
    cluster = WithTelemetry()
    cluster.put(*bodies)
    return look(cluster, "mp-canary")  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", [{}, {"action": "ALLOW"}, {"rules": []}])
def test_a_policy_that_allows_nothing_can_be_set_aside(spec: dict[str, Any]) -> None:
    assert looked(generated("AuthorizationPolicy", "default-deny", spec)) == Generated(
        denying=("AuthorizationPolicy default-deny",)
    )


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("AuthorizationPolicy", {"rules": [{}]}),  # what a stage refuses would be let in
        ("AuthorizationPolicy", {"action": "DENY", "rules": [{"from": [{"source": {"notPrincipals": ["*"]}}]}]}),
        ("AuthorizationPolicy", {"action": "CUSTOM", "rules": [{}]}),
        ("PeerAuthentication", {"mtls": {"mode": "STRICT"}}),
        ("PeerAuthentication", {"mtls": {"mode": "PERMISSIVE"}}),  # the older one counts
        ("Sidecar", {"egress": [{"hosts": ["./*"]}]}),
    ],
)
def test_what_cannot_be_set_aside_decides(kind: str, spec: dict[str, Any]) -> None:
    assert looked(generated(kind, "default", spec)) == Generated(decisive=(f"{kind} default",))


def test_what_decides_nothing_is_left_out() -> None:
    dry = generated("AuthorizationPolicy", "dry", {})
    dry["metadata"]["annotations"] = {"istio.io/dry-run": "true"}
    audit = generated("AuthorizationPolicy", "audit", {"action": "AUDIT", "rules": [{}]})
    of_others = generated("PeerAuthentication", "shop", {"selector": {"matchLabels": {"app": "shop"}}})
    own = generated("Sidecar", "meshproof-open-mesh", {}, **{MANAGED_BY_LABEL: MANAGER})
    of_root = body("AuthorizationPolicy", "allow-nothing", {})
    assert looked(dry, audit, of_others, own, of_root) == Generated()


def test_judges_of_tokens_are_told_from_what_looks_elsewhere() -> None:
    own_header = {"jwtRules": [{"issuer": "a", "fromHeaders": [{"name": "x-bank-token"}]}]}
    found = looked(
        generated("RequestAuthentication", "bank", {"jwtRules": [{"issuer": "bank.example"}]}),
        generated("RequestAuthentication", "elsewhere", own_header),
        generated("EnvoyFilter", "limits", {}),
    )
    assert found.tokens == "RequestAuthentication bank"
    assert found.iap_tokens == ""
    assert found.left == ("EnvoyFilter limits", "RequestAuthentication elsewhere")
    assert (found.denying, found.decisive) == ((), ())


def test_nothing_is_known_where_nothing_may_be_listed() -> None:
    class Closed(WithTelemetry):
        def objects(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
            raise AccessError("may not list")

    assert look(Closed(), "mp-canary") == Generated()  # type: ignore[arg-type]
