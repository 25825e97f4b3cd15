"""What is in force before a run, and what it sets against it."""

from __future__ import annotations

from typing import Any

import pytest
from test_discovery import Meshed, istiod, mesh_config, webhook

from clients.kube.labels import MANAGED_BY_LABEL, MANAGER
from clients.mesh.discovery import discover
from clients.mesh.survey import prior
from clients.model.errors import AccessError

pytestmark = pytest.mark.unit


class WithTelemetry(Meshed):
    kinds = (
        "PeerAuthentication",
        "AuthorizationPolicy",
        "RequestAuthentication",
        "Sidecar",
        "DestinationRule",
        "Telemetry",
        "EnvoyFilter",
        "WasmPlugin",
    )
    allowed = True

    def can_i(self, verb: str, resource: str, *_: str, **__: str) -> bool:
        return self.allowed or (verb, resource) != ("create", "telemetries")


def body(kind: str, name: str, spec: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "istio-system", "labels": labels}, "spec": spec}


STRICT = body("PeerAuthentication", "default", {"mtls": {"mode": "STRICT"}})
NOTHING = body("AuthorizationPolicy", "allow-nothing", {})


def looked(*bodies: dict[str, Any], configuration: dict[str, Any] | None = None) -> prior.Prior:
    cluster = WithTelemetry()
    cluster.put(*bodies)
    return prior.look(cluster, "istio-system", [configuration or {}])  # type: ignore[arg-type]


def test_an_open_mesh_has_nothing_to_set_aside() -> None:
    permissive = body("PeerAuthentication", "default", {"mtls": {"mode": "PERMISSIVE"}})
    found = looked(permissive)
    assert (found.permissive, found.allow, found.open, found.notes) == (False, False, False, ())
    assert looked() == prior.Prior()


def test_each_kind_is_set_aside_and_named() -> None:
    found = looked(STRICT, NOTHING, configuration={"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}})
    assert (found.permissive, found.allow, found.open) == (True, True, True)
    assert found.mesh_wide == "PeerAuthentication istio-system/default is there already, and the older one counts"
    assert [note.named for note in found.notes] == [
        "PeerAuthentication istio-system/default (STRICT)",
        "AuthorizationPolicy istio-system/allow-nothing (ALLOW)",
        "MeshConfig outboundTrafficPolicy REGISTRY_ONLY",
    ]


def test_what_selects_or_runs_dry_or_is_a_run_s_own_does_not_count() -> None:
    one = {**STRICT, "spec": {**STRICT["spec"], "selector": {"matchLabels": {"app": "x"}}}}
    dry = {**NOTHING, "metadata": {**NOTHING["metadata"], "annotations": {"istio.io/dry-run": "true"}}}
    own = body("PeerAuthentication", "left", STRICT["spec"], **{MANAGED_BY_LABEL: MANAGER})
    assert looked(one, dry, own) == prior.Prior()


def test_what_nothing_is_set_against_is_named() -> None:
    found = looked(
        body("AuthorizationPolicy", "deny", {"action": "DENY", "rules": [{}]}),
        body("EnvoyFilter", "theirs", {"configPatches": []}),
        configuration={"discoverySelectors": [{"matchLabels": {"mesh": "yes"}}], "defaultServiceExportTo": ["."]},
    )
    assert [note.named for note in found.notes] == [
        "AuthorizationPolicy istio-system/deny (DENY)",
        "EnvoyFilter istio-system/theirs",
        "MeshConfig discoverySelectors",
        "MeshConfig defaultServiceExportTo ['.']",
    ]
    assert found.narrow_exports


def test_the_filter_of_the_embedded_mesh_says_whose_it_is() -> None:
    found = looked(body("EnvoyFilter", "meshproof-alpn", {"configPatches": []}))
    assert found.texts == (
        "EnvoyFilter istio-system/meshproof-alpn: in force; the testbed's own, in place of Istio's filter istio.alpn "
        "(docs/deviations.md)",
    )


OF_INGRESS = {"selector": {"matchLabels": {"app": "istio-ingressgateway"}}}
"""The usual label of an ingress gateway: a policy of the root namespace finds it in every namespace."""


@pytest.mark.parametrize(
    ("one", "allow", "note"),
    [
        (body("AuthorizationPolicy", "theirs", OF_INGRESS), True, "set aside by a policy that allows"),
        (body("AuthorizationPolicy", "theirs", {**OF_INGRESS, "action": "DENY"}), False, "in force; its refusals"),
        (body("EnvoyFilter", "theirs", {"workloadSelector": {"labels": {"app": "istio-ingress"}}}), False, "in force"),
        (body("WasmPlugin", "theirs", OF_INGRESS), False, "in force"),
    ],
)
def test_what_selects_the_usual_label_of_a_gateway_reaches_a_run_s(one: dict[str, Any], allow: bool, note: str) -> None:
    """Such a policy refused what a run sends by its own gateway, and the mesh was blamed."""
    found = looked(one)
    assert found.allow is allow
    assert [note in one for one in found.texts] == [True]
    of_their_own = {**one, "spec": {**one["spec"], "selector": {"matchLabels": {"app": "theirs"}}}}
    of_their_own["spec"].pop("workloadSelector", None)
    assert looked(of_their_own) == prior.Prior()


THEIRS = {"issuer": "https://issuer.example.com", "jwks": "{}"}


def judge(*rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return body("RequestAuthentication", "theirs", {"jwtRules": list(rules), **spec})


@pytest.mark.parametrize(
    ("one", "tokens", "iap_tokens"),
    [
        (judge(THEIRS), True, False),
        (judge({**THEIRS, "fromHeaders": [{"name": "X-Token"}]}), True, False),
        (judge({**THEIRS, "fromParams": ["token"]}), True, False),
        (judge({**THEIRS, "fromHeaders": [{"name": "Ingress-Authorization", "prefix": "Istio "}]}), False, True),
        (judge({**THEIRS, "fromHeaders": [{"name": "x-theirs"}]}), False, False),
        (judge(), False, False),
        (judge(THEIRS, selector={"matchLabels": {"istio": "ingressgateway"}}), False, False),
        (judge(THEIRS, selector={"matchLabels": {"app": "istio-ingressgateway"}}), True, False),
        (judge(THEIRS, selector={"matchLabels": {"app": "httpbin", "team": "a"}}), False, False),
        (judge(THEIRS, targetRefs=[{"kind": "Gateway", "name": "g"}]), False, False),
        (judge(THEIRS, targetRefs=[{"kind": "GatewayClass", "name": "istio"}]), True, False),
    ],
)
def test_a_root_request_authentication_counts_that_judges_a_run_s_tokens(
    one: dict[str, Any], tokens: bool, iap_tokens: bool
) -> None:
    """It refuses tokens of issuers that it does not know, also before a stage's own policy is there."""
    found = looked(one)
    named = "RequestAuthentication istio-system/theirs judges tokens in every namespace"
    assert (found.tokens, found.iap_tokens) == (named if tokens else "", named if iap_tokens else "")
    assert any("cases with tokens" in note for note in found.texts) is (tokens or iap_tokens)


def test_tokens_that_others_judge_are_not_a_capability() -> None:
    cluster = WithTelemetry()
    cluster.put(webhook("default"), istiod("pilot:1.31.1"), judge(THEIRS))
    found = discover(cluster)  # type: ignore[arg-type]
    assert "istio-system/theirs" in found.lacks["own-tokens"]
    assert "own-iap-tokens" in found.capabilities


def test_what_may_not_be_listed_is_not_known() -> None:
    cluster = WithTelemetry()

    def refuse(*_: object, **__: object) -> list[dict[str, Any]]:
        raise AccessError("forbidden")

    cluster.objects = refuse  # type: ignore[method-assign,assignment]
    assert prior.look(cluster, "istio-system", []) == prior.Prior()  # type: ignore[arg-type]


def meshed(text: str, *more: dict[str, Any], allowed: bool = True) -> WithTelemetry:
    cluster = WithTelemetry()
    cluster.allowed = allowed
    cluster.put(istiod("pilot:1.31.1"), webhook("default"), mesh_config("", text), *more)
    return cluster


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ("accessLogFile: /dev/stdout", ""),
        ("accessLogFile: /var/log/envoy.log", "envoy"),
        ("{}", "envoy"),
        ("accessLogFile: /dev/stdout\ndefaultProviders: {accessLogging: [otel]}", "envoy"),
        ("defaultProviders: {accessLogging: [envoy]}", ""),
        ("defaultProviders: {accessLogging: []}", "envoy"),
    ],
)
def test_access_logs_are_turned_on_where_the_mesh_writes_none_that_is_known(text: str, provider: str) -> None:
    found = discover(meshed(text))  # type: ignore[arg-type]
    assert (found.log_provider, found.writes_access_log) == (provider, True)


def test_a_format_of_the_mesh_s_own_is_one_without_logs() -> None:
    """A Telemetry writes in it too: no line was known, and what was not found failed the cases."""
    found = discover(meshed("accessLogFile: /dev/stdout\naccessLogFormat: '%PROTOCOL%'"))  # type: ignore[arg-type]
    assert (found.log_provider, found.writes_access_log) == ("", False)
    assert "format of its own" in found.lacks["access-log"]


@pytest.mark.parametrize(
    ("log", "own"),
    [
        ("{path: /dev/stdout}", False),
        ("{path: /dev/stdout, logFormat: {text: '%PROTOCOL%'}}", True),
        ("{path: /var/log/envoy.log}", True),
    ],
)
def test_a_provider_of_the_usual_name_may_have_a_format_of_its_own(log: str, own: bool) -> None:
    providers = f"extensionProviders: [{{name: envoy, envoyFileAccessLog: {log}}}]"
    found = discover(meshed(f"defaultProviders: {{accessLogging: [envoy]}}\n{providers}"))  # type: ignore[arg-type]
    assert (found.log_provider, found.writes_access_log) == ("", not own)


def test_a_telemetry_of_the_root_namespace_may_write_them_otherwise() -> None:
    theirs = body("Telemetry", "mesh-default", {"accessLogging": [{"providers": [{"name": "otel"}]}]})
    assert discover(meshed("accessLogFile: /dev/stdout", theirs)).log_provider == "envoy"  # type: ignore[arg-type]


def test_a_telemetry_that_is_not_about_access_logs_leaves_them_as_they_are() -> None:
    theirs = body("Telemetry", "mesh-default", {"tracing": [{"randomSamplingPercentage": 1}]})
    found = discover(meshed("accessLogFile: /dev/stdout", theirs, allowed=False))  # type: ignore[arg-type]
    assert (found.log_provider, found.writes_access_log) == ("", True)


def test_without_the_right_the_mesh_is_one_without_logs() -> None:
    found = discover(meshed("{}", allowed=False))  # type: ignore[arg-type]
    assert (found.log_provider, found.writes_access_log) == ("", False)
    assert "may create no Telemetry" in found.lacks["access-log"]


@pytest.mark.parametrize(("mode", "kept"), [("BASE", True), ("NONE", True), ("MERGE_SLASHES", False)])
def test_a_mesh_that_merges_slashes_is_not_asked_to_keep_them(mode: str, kept: bool) -> None:
    """It is stricter than Istio's default, which two cases took for a failure; a mesh without any is still asked."""
    found = discover(meshed(f"pathNormalization: {{normalization: {mode}}}"))  # type: ignore[arg-type]
    assert ("slashes-kept" in found.capabilities) is kept
    assert kept or mode in found.lacks["slashes-kept"]


def rule(host: str, **spec: Any) -> dict[str, Any]:
    policy = {"tls": {"mode": "ISTIO_MUTUAL"}}
    return body("DestinationRule", "default", {"host": host, "trafficPolicy": policy, **spec})


@pytest.mark.parametrize(
    ("one", "configuration", "set_aside"),
    [
        (rule("*.local"), {}, True),
        (rule("*"), {}, True),
        (rule("*.local", exportTo=["*"]), {"defaultDestinationRuleExportTo": ["."]}, True),
        (rule("*.local", exportTo=["."]), {}, False),
        (rule("*.local"), {"defaultDestinationRuleExportTo": ["."]}, False),
        (rule("reviews.bookinfo.svc.cluster.local"), {}, False),
        (rule("*.local", workloadSelector={"matchLabels": {"app": "x"}}), {}, False),
    ],
)
def test_a_root_rule_for_hosts_by_a_wildcard_is_set_aside(
    one: dict[str, Any], configuration: dict[str, Any], set_aside: bool
) -> None:
    """`*.local` with ISTIO_MUTUAL, as old guides have it, made sidecars use TLS to servers without any: 503."""
    found = looked(one, configuration=configuration)
    assert found.rules is set_aside
    assert (
        "DestinationRule istio-system/default: set aside by DestinationRules of the run's namespaces" in found.texts
    ) is set_aside


def test_what_the_mesh_exports_to_none_is_exported_by_the_run() -> None:
    """Else a client in another namespace knows no such Service, and sends plaintext where STRICT is proven."""
    found = looked(configuration={"defaultServiceExportTo": ["."], "defaultVirtualServiceExportTo": ["*"]})
    assert found.narrow_exports
    assert found.texts == (
        "MeshConfig defaultServiceExportTo ['.']: set aside, as the run's own objects state exportTo",
    )
    assert not looked(configuration={"defaultServiceExportTo": ["*"]}).narrow_exports


@pytest.mark.parametrize(
    ("text", "there"), [("{}", True), ("enableAutoMtls: true", True), ("enableAutoMtls: false", False)]
)
def test_a_mesh_without_automatic_mutual_tls_is_not_asked_for_it(text: str, there: bool) -> None:
    found = discover(meshed(text))  # type: ignore[arg-type]
    assert ("auto-mtls" in found.capabilities) is there
    assert there or found.lacks["auto-mtls"] == "MeshConfig has enableAutoMtls false"
