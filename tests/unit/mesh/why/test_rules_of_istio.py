"""Rules of Istio that are easily misread, as `pilot/pkg/security` implements them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from why_samples import (
    GET,
    LEGACY,
    STRICT,
    TESTING,
    TOKENS,
    Json,
    PolicySample,
    authorization,
    closed,
    destination,
    pod,
    policy,
    service,
    source,
    to,
    token,
    view,
    when,
)

from clients.mesh.why import detectors, matching, outbound, peers, rules, strangers, tokens
from clients.mesh.why.reason import Effect

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (source(namespaces=["mtls-*ent"]), True),
        (source(namespaces=["*-cli*"]), True),
        (source(namespaces=["*"]), True),
        (source(namespaces=["mtls-c*x"]), False),
        (when("source.namespace", "m*s-client"), True),
        (source(principals=["*/ns/mtls-client/*"]), False),
        (source(principals=["*/ns/mtls-client/sa/sleep"]), True),
        (when("source.serviceAccount", "mtls-client/sleep"), True),
        (when("source.serviceAccount", "mtls-client/slee*"), False),
    ],
)
def test_of_a_namespace_any_asterisk_is_a_wildcard_and_of_an_account_none(rule: Json, matches: bool) -> None:
    assert matching.rule(PolicySample("").case, rule).yes is matches


def test_a_namespace_with_an_asterisk_in_its_middle_is_no_mistake() -> None:
    found = rules.account_pattern(view(authorization("teams", "ALLOW", source(namespaces=["team-*-prod"]))))
    assert [one.text for one in found] == []


def test_a_principal_with_asterisks_at_both_ends_matches_no_caller() -> None:
    [found] = rules.account_pattern(view(authorization("teams", "ALLOW", source(principals=["*/ns/mtls-client/*"]))))
    assert "matches no caller" in found.text
    assert found.effects == {Effect.CLOSED}


@pytest.mark.parametrize(("namespace", "allowed"), [("mtls-client", True), ("mtls-service", False)])
def test_an_account_without_namespace_is_of_the_policys_own(namespace: str, allowed: bool) -> None:
    body = policy("AuthorizationPolicy", "one", {"rules": [source(serviceAccounts=["sleep"])]}, namespace)
    seen = replace(view(body), root=namespace)
    case = replace(PolicySample("").case, view=seen)
    assert [one.text for one in detectors.of_case([case]) if "allows it" in one.text] == (
        [f"AuthorizationPolicy {namespace}/one allows it: rule 0 matches"] if allowed else []
    )


@pytest.mark.parametrize(
    ("pattern", "subject", "matches"),
    [
        (f"{TESTING}/repo:org/app", "repo:org/app", False),
        (f"{TESTING}/*", "repo:org/app", True),
        (f"{TESTING}/re*", "repo:org/app", True),
        ("*/alice", "alice", True),
        ("*.io/alice", "alice", True),
        ("*ice", "alice", True),
        ("*", "alice", True),
        ("testing@*", "alice", True),
        (f"{TESTING}/alice", "alice", True),
        (f"{TESTING}", "alice", False),
    ],
)
def test_a_request_principal_is_divided_at_its_last_slash(pattern: str, subject: str, matches: bool) -> None:
    """An exact principal whose subject has a slash in it matches no token."""
    case = PolicySample("", (TOKENS,), request=token(sub=subject)).case
    match = matching.rule(case, source(requestPrincipals=[pattern]))
    assert match.yes is matches
    if "org/app" in pattern:
        assert "last slash" in match.why


@pytest.mark.parametrize("rule", [source(remoteIpBlocks=["198.51.100.0/24"]), when("remote.ip", "198.51.100.0/24")])
def test_the_remote_address_is_known_of_a_tcp_connection_too(rule: Json) -> None:
    office = policy("AuthorizationPolicy", "office", {"action": "DENY", "rules": [rule]})
    assert rules.http_field_on_tcp(view(office)) == []


@pytest.mark.parametrize(
    ("rule", "blamed"),
    [
        ({"to": [{"operation": {"paths": ["/a"], "notPorts": ["8080"]}}]}, False),
        ({"to": [{"operation": {"paths": ["/a"], "notPorts": ["9999"]}}]}, True),
        ({**to(paths=["/a"]), **when("destination.port", "8081")}, False),
        ({**to(paths=["/a"]), "when": [{"key": "destination.port", "notValues": ["8080"]}]}, False),
        ({**to(paths=["/a"]), **when("destination.port", "8080")}, True),
        ({"to": [{"operation": {"paths": ["/a"], "ports": ["8081"]}}, {"operation": {"paths": ["/b"]}}]}, True),
    ],
)
def test_a_rule_that_leaves_the_tcp_port_out_refuses_nothing_there(rule: Json, blamed: bool) -> None:
    no_admin = policy("AuthorizationPolicy", "no-admin", {"action": "DENY", "rules": [rule]})
    assert bool(rules.http_field_on_tcp(view(no_admin))) is blamed


KEEP_OUT = authorization("keep-out", "DENY", source(namespaces=["legacy-client"]))


@pytest.mark.parametrize(
    ("others", "let_in"),
    [
        ([authorization("own", "ALLOW", source(namespaces=["mtls-client"]))], False),
        ([authorization("own", "ALLOW", when("source.principal", "*"))], False),
        ([authorization("nothing", "ALLOW")], False),
        ([authorization("own", "ALLOW", source(namespaces=["a"]), to(paths=["/healthz"]))], True),
        ([authorization("own", "ALLOW", source(requestPrincipals=["*"]))], True),
        ([authorization("own", "AUDIT", source(namespaces=["a"]))], True),
        ([authorization("strangers", "DENY", source(notNamespaces=["mtls-client"]))], False),
        ([authorization("strangers", "DENY", {"when": [{"key": "source.principal", "notValues": ["*"]}]})], False),
        ([authorization("strangers", "DENY", {**source(notPrincipals=["*"]), **to(methods=["PUT"])})], True),
        ([authorization("strangers", "DENY", source(notPrincipals=["*"], ipBlocks=["10.0.0.0/8"]))], True),
    ],
)
def test_a_stranger_is_let_in_only_where_no_other_policy_refuses_it(others: list[Json], let_in: bool) -> None:
    assert bool(strangers.stranger_not_denied(view(KEEP_OUT, *others))) is let_in


def test_a_denial_for_ports_that_take_no_plain_text_lets_no_stranger_in() -> None:
    spec = {
        "selector": {"matchLabels": {"app": "httpbin"}},
        "mtls": {"mode": "PERMISSIVE"},
        "portLevelMtls": {"8080": {"mode": "STRICT"}},
    }
    two = pod()
    two["spec"]["containers"][0]["ports"].append({"containerPort": 9090, "protocol": "TCP"})
    by_port = authorization("keep-out", "DENY", {**source(namespaces=["legacy-client"]), **to(ports=["8080"])})
    objects = (two, policy("PeerAuthentication", "ports", spec))
    assert strangers.stranger_not_denied(view(*objects, by_port)) == []
    assert strangers.stranger_not_denied(view(*objects, KEEP_OUT))


GATEWAY = pod("ingress")
GATEWAY["spec"]["containers"][1]["args"] = ["proxy", "router"]


def test_mutual_tls_of_workloads_is_not_that_of_a_gateways_ports() -> None:
    """A gateway's listeners follow its Gateway alone."""
    keep_out = {"selector": {"matchLabels": {"app": "ingress"}}, "action": "DENY", "rules": [source(namespaces=["a"])]}
    plain = destination("plain", "ingress.mtls-service.svc.cluster.local", {"mode": "DISABLE"})
    seen = view(GATEWAY, service("ingress"), plain, STRICT, policy("AuthorizationPolicy", "keep-out", keep_out))
    assert outbound.plain_text_to_strict(seen) == []
    assert strangers.stranger_not_denied(replace(seen, policies=seen.policies[1:])) == []
    sample = PolicySample("", (GATEWAY, STRICT), Effect.CLOSED, LEGACY, expected=200, observed=None, app="ingress")
    assert detectors.of_case([sample.case]) == []


@pytest.mark.parametrize("server", [pod("bare", sidecar=False), pod("bare")])
def test_strict_is_no_reason_at_a_server_without_a_sidecar(server: Json) -> None:
    wide = policy("PeerAuthentication", "default", {"mtls": {"mode": "STRICT"}}, "istio-system")
    sample = PolicySample("", (server, wide), Effect.CLOSED, LEGACY, expected=200, observed=None, app="bare")
    expected = ["istio-proxy" in [one["name"] for one in server["spec"]["containers"]]]
    assert [bool(detectors.of_case([sample.case]))] == expected


AMBIENT = {"ambient.istio.io__redirection": "enabled"}


def test_a_pod_of_ambient_mode_is_not_without_a_proxy() -> None:
    taken = pod("bare", sidecar=False, **AMBIENT)
    mutual = destination("mutual", "bare.mtls-service.svc.cluster.local", {"mode": "ISTIO_MUTUAL"})
    seen = view(taken, service("bare"), mutual)
    assert outbound.mutual_tls_to_no_proxy(seen) == []
    assert detectors.of_case([PolicySample("", (taken,), app="bare", expected=None).case]) == []


@pytest.mark.parametrize("app", ["httpbin", "ingress"])
def test_a_selector_in_the_root_namespace_is_in_force_nowhere(app: str) -> None:
    spec = {"selector": {"matchLabels": {"app": app}}, "mtls": {"mode": "STRICT"}}
    there = pod(app, "istio-system")
    [found] = peers.root_with_selector(view(there, policy("PeerAuthentication", "default", spec, "istio-system")))
    assert "in force nowhere" in found.text


def test_policies_of_two_revisions_do_not_compete() -> None:
    """During an upgrade each control plane has its own policy of one level."""
    ages = {"creationTimestamp": "2026-11-27T10:05:00Z"}
    old = policy("PeerAuthentication", "old", {"mtls": {"mode": "PERMISSIVE"}}, labels={"istio.io/rev": "default"})
    new = policy("PeerAuthentication", "new", {"mtls": {"mode": "STRICT"}}, labels={"istio.io/rev": "canary"}, **ages)
    assert peers.older_peer(view(old, new)) == []
    unknown = replace(view(old, new), revisions=None)
    assert (peers.older_peer(unknown), peers.overridden(unknown)) == ([], [])


def test_an_issuer_is_the_one_that_istio_reads() -> None:
    right = authorization("actions", "ALLOW", source(requestPrincipals=[f"{TESTING}/*", f"{TESTING}/alice"]))
    assert tokens.untrusted_issuer(view(TOKENS, right)) == []
    odd = authorization("actions", "ALLOW", source(requestPrincipals=[f"{TESTING}/repo:org/app"]))
    [found] = tokens.untrusted_issuer(view(TOKENS, odd))
    assert f"asks for tokens of {TESTING}/repo:org" in found.text


WAYPOINT = pod("waypoint")
WAYPOINT["metadata"]["labels"]["gateway.networking.k8s.io/gateway-name"] = "waypoint"
WAYPOINT["spec"]["containers"][1]["args"] = ["proxy", "waypoint"]


def test_a_policy_without_target_is_not_one_of_a_waypoint() -> None:
    wide = policy("AuthorizationPolicy", "audit", {"action": "AUDIT", "rules": [{}]})
    assert "waypoint" not in {one.name for one in view(WAYPOINT, wide).selected(view(wide).policies[0])}


def test_an_attached_policy_is_none_of_a_sidecar() -> None:
    """A sidecar ignores policies with targets; only a gateway or a waypoint may have them."""
    attached = policy("AuthorizationPolicy", "gw", {"targetRefs": [{"kind": "Gateway", "name": "front"}]})
    line = "RequestAuthentication mtls-service/jwt-example verifies tokens, and no AuthorizationPolicy at"
    assert [line in one.text for one in tokens.token_not_required(view(TOKENS, attached))] == [True]
    gateway = pod("front")
    gateway["metadata"]["labels"]["gateway.networking.k8s.io/gateway-name"] = "front"
    body = policy("RequestAuthentication", "jwt", {"jwtRules": [{"issuer": TESTING}]})
    assert "front" not in tokens.token_not_required(view(gateway, body, attached))[0].text


@pytest.mark.parametrize(("included", "bypasses"), [("8080", False), ("9090", True), ("", True), ("*", False)])
def test_a_port_that_is_not_included_bypasses_the_proxy(included: str, bypasses: bool) -> None:
    notes = {"traffic.sidecar.istio.io__includeInboundPorts": included}
    assert bool(peers.excluded_port(view(pod("metrics", **notes), service("metrics")))) is bypasses


def test_a_port_of_a_workload_without_a_proxy_bypasses_none() -> None:
    notes = {"traffic.sidecar.istio.io__excludeInboundPorts": "8080"}
    assert peers.excluded_port(view(pod("metrics", sidecar=False, **notes), service("metrics"))) == []


@pytest.mark.parametrize(
    ("expected", "objects", "line"),
    [
        (401, (authorization("any", "ALLOW", {}),), "no RequestAuthentication selects mtls-service/httpbin"),
        (None, (authorization("any", "ALLOW", {}),), "mutual TLS at mtls-service/httpbin port 8080 is PERMISSIVE by"),
        (None, (authorization("no", "DENY", to(paths=["/x"])),), "mutual TLS at mtls-service/httpbin port 8080 is"),
    ],
)
def test_a_policy_that_could_not_have_refused_so_is_no_reason(
    expected: int | None, objects: tuple[Json, ...], line: str
) -> None:
    """AuthorizationPolicies refuse HTTP with 403 alone: neither a missing 401 nor a missing reset is theirs."""
    sample = PolicySample("", objects, caller=LEGACY, expected=expected)
    assert [one.text[: len(line)] for one in detectors.of_case([sample.case])] == [line]


@pytest.mark.parametrize("observed", [401, None])
def test_a_policy_that_refuses_with_403_is_no_reason_for_another_refusal(observed: int | None) -> None:
    sample = closed("", STRICT, authorization("own", "ALLOW", source(namespaces=["a"])), KEEP_OUT)
    seen = replace(sample, observed=observed, caller=LEGACY)
    texts = [one.text for one in detectors.of_case([seen.case])]
    assert not any("AuthorizationPolicy" in text for text in texts)
    assert bool(texts) == (observed is None), "the reset is that of mutual TLS"


def test_on_a_port_without_protocol_a_reset_may_be_an_authorization() -> None:
    detected = service("ledger", "data", 9000)
    keep_out = policy("AuthorizationPolicy", "keep-out", {"action": "DENY", "rules": [source(namespaces=["*"])]})
    sample = closed("", detected, keep_out, app="ledger", request=replace(GET, method="", path=""))
    assert [one.text for one in detectors.of_case([replace(sample, observed=None).case])] == [
        "AuthorizationPolicy mtls-service/keep-out refuses it: rule 0 matches"
    ]
