"""Each detector on objects as the API server returns them; and that nothing is said of what is in order or unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from why_samples import (
    GET,
    KNOWN,
    LEGACY,
    MESH,
    OBJECTS,
    REQUESTS,
    STRICT,
    TESTING,
    TOKENS,
    WORKLOADS,
    Json,
    PolicySample,
    authorization,
    closed,
    destination,
    entry,
    network,
    pod,
    policy,
    service,
    source,
    to,
    token,
    view,
    when,
)

from clients.mesh.why import decisions, detectors, matching, network_objects, peers, rules, selection, strangers, tokens
from clients.mesh.why.reason import Effect
from clients.mesh.why.services import ServiceView
from clients.mesh.why.view import view_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("detector", detectors.OBJECTS, ids=lambda one: one.__name__)
def test_detector_of_objects(detector: detectors.ObjectDetector) -> None:
    sample = OBJECTS[detector.__name__]
    assert sample.line in [reason.text for reason in detector(sample.view)]
    assert detector(view()) == [], "nothing is said of the workloads alone"


@pytest.mark.parametrize("detector", detectors.REQUESTS, ids=lambda one: one.__name__)
def test_detector_of_requests(detector: detectors.RequestDetector) -> None:
    sample = REQUESTS[detector.__name__]
    assert [reason.text for reason in detector(sample.case)] == [sample.line]


OF_THE_STAGE = {
    "odd_form",
    "selects_nothing",
    "selects_no_pod",
    "server_not_verified",
    "short_host",
    "entry_for_every_address",
    "dialled_address",
}
"""Reasons for the cases of a stage that applies the object, as it reaches no workload."""


@pytest.mark.parametrize("name", [*OBJECTS, *REQUESTS])
def test_a_failed_case_gets_the_line(name: str) -> None:
    sample = {**OBJECTS, **REQUESTS}[name]
    app = "metrics" if name == "excluded_port" else sample.app
    peer = {"port_of_the_service", "older_peer", "overridden", "root_with_selector"}
    expected = None if name in peer or name == "excluded_port" else sample.expected
    stage = sample.objects if name in OF_THE_STAGE else sample.stage
    caller = LEGACY if name in peer | {"stranger_not_denied"} else sample.caller
    changed = replace(sample, app=app, expected=expected, stage=stage, caller=caller)
    if name == "other_namespace":
        changed = replace(changed, stage=sample.objects)
    if name == "stranger_not_denied":
        assert "keep-out does not refuse it" in detectors.of_case([changed.case])[0].text, "the caller is known"
    elif name == "claim_with_dots":  # a token that it could refuse
        changed = replace(changed, effect=Effect.CLOSED, observed=403, expected=200, request=token(realm={}))
        assert "does not allow it" in detectors.of_case([changed.case])[0].text
    elif name in {"account_pattern", "method_spelling", "request_principal_form"}:
        assert "does not refuse it" in detectors.of_case([changed.case])[0].text
    elif name in {"untrusted_issuer", "path_shape"}:
        assert detectors.of_case([changed.case])
    else:
        assert sample.line in [reason.text for reason in detectors.of_case([changed.case])]


def test_every_detector_has_a_sample_and_no_other() -> None:
    assert {one.__name__ for one in detectors.OBJECTS} == set(OBJECTS)
    assert {one.__name__ for one in detectors.REQUESTS} == set(REQUESTS)


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_what_cannot_be_read_is_not_known(name: str) -> None:
    """Without pods there is no workload to be wrong about; only a policy's own text can still be odd."""
    bare = view_of([one for one in OBJECTS[name].objects if one["kind"] != "Pod"], known=())
    of_text = {
        "odd_form",
        "refuses_nothing",
        "account_pattern",
        "method_spelling",
        "path_shape",
        "request_principal_form",
        "claim_with_dots",
        "rules_without_type",
        "shuts_ingress_too",
        "either_selector",
        "server_not_verified",
        "entry_for_every_address",
        "dialled_address",
    }
    found = [reason for detector in detectors.OBJECTS for reason in detector(bare)]
    assert bool(found) == (name in of_text)


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_a_case_says_nothing_where_policies_are_not_known(name: str) -> None:
    sample = REQUESTS[name]
    seen = replace(sample.case, view=view_of(WORKLOADS, known=()), entries=())
    assert detectors.of_case([seen]) == [] or name == "no_sidecar"


def test_network_policies_that_add_up_are_not_blamed() -> None:
    """One lets names be resolved, one the control plane, one the server: each alone would be too little."""
    dns = {"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]}
    control = {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"port": 15000, "endPort": 15100}]}
    pods = {"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "httpbin"}}}]}
    number = {**pods, "ports": [{"port": 8000}, {"port": 8080}]}
    spec = {"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["sleep"]}]}}
    rules = {"dns": dns, "control": control, "number": number}
    right = view(*(network(name, {**spec, "policyTypes": ["Egress"], "egress": [one]}) for name, one in rules.items()))
    assert detectors.of_objects(right) == {}
    kept = [one for one in right.network_policies if one.name != "dns"]
    assert list(detectors.of_objects(replace(right, network_policies=tuple(kept)))) == ["no_name_server"]


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ({"operator": "In", "values": ["sleep", "web"]}, True),
        ({"operator": "NotIn", "values": ["sleep"]}, False),
        ({"operator": "NotIn", "values": ["web"]}, True),
        ({"operator": "Exists"}, True),
        ({"operator": "DoesNotExist"}, False),
        ({"key": "tier", "operator": "DoesNotExist"}, True),
        ({"key": "tier", "operator": "NotIn", "values": ["web"]}, True),
        ({"key": "tier", "operator": "In", "values": ["web"]}, False),
    ],
)
def test_selectors_of_network_policies(expression: dict[str, object], selected: bool) -> None:
    assert network_objects.matches({"matchExpressions": [{"key": "app", **expression}]}, {"app": "sleep"}) is selected


def test_a_rule_for_pods_of_its_own_namespace_resolves_no_names() -> None:
    own = {"to": [{"podSelector": {}}]}
    seen = view(network("own", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [own]}))
    assert {"no_name_server", "no_control_plane"} == set(detectors.of_objects(seen))


@pytest.mark.parametrize(
    ("selector", "blamed"),
    [
        ({"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}}, True),
        ({"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}, False),
        ({"matchLabels": {"team": "platform"}}, False),
        ({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["web"]}]}, False),
    ],
)
def test_a_rule_for_a_namespace_lets_names_be_resolved_where_it_may_be_theirs(
    selector: dict[str, object], blamed: bool
) -> None:
    rule = {"to": [{"namespaceSelector": selector}]}
    seen = view(network("one", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}))
    assert list(detectors.of_objects(seen)) == ["no_name_server"] * blamed


def test_a_destination_rule_that_fits_its_server_is_not_blamed() -> None:
    plain = destination("plain", "httpbin.mtls-service.svc.cluster.local", {"mode": "DISABLE"})
    assert detectors.of_objects(view(plain)) == {}, "the server takes plain text"
    port = {"portLevelSettings": [{"port": {"number": 8000}, "tls": {"mode": "ISTIO_MUTUAL"}}]}
    by_port = {**plain, "spec": {**plain["spec"], "trafficPolicy": {**plain["spec"]["trafficPolicy"], **port}}}
    assert detectors.of_objects(view(STRICT, by_port)) == {}, "the port has a setting of its own"
    free = pod("httpbin", **{"traffic.sidecar.istio.io__excludeInboundPorts": "8080"})
    assert list(detectors.of_objects(view(STRICT, plain, free))) == ["excluded_port"], "no proxy is on the way"
    short = destination("own", "httpbin", {"mode": "ISTIO_MUTUAL"}, "mtls-service")
    assert detectors.of_objects(view(STRICT, short)) == {}, "a short name of its own namespace"


def test_service_entries_that_name_their_servers_are_not_blamed() -> None:
    tcp = {"number": 443, "name": "tcp", "protocol": "TCP"}
    named = entry("db", ["db.example.com"], tcp, resolution="STATIC", addresses=["10.1.2.3"])
    tls = entry("web", ["*.example.com"], {**tcp, "protocol": "TLS"}, resolution="DYNAMIC_DNS")
    assert detectors.of_objects(view(named, tls)) == {}


def test_right_policies_are_not_blamed() -> None:
    right = view(
        STRICT,
        TOKENS,
        authorization("by-token", "ALLOW", {**source(requestPrincipals=[f"{TESTING}/*"]), **to(methods=["GET"])}),
        authorization("no-admin", "DENY", to(paths=["/admin", "/admin/*"])),
        authorization("keep-out", "DENY", source(namespaces=["mtls-client"])),
        authorization("only-sleep", "DENY", source(notPrincipals=["cluster.local/ns/mtls-client/sa/sleep"])),
    )
    assert detectors.of_objects(right) == {}


def test_a_tag_of_the_revision_is_no_other_revision() -> None:
    labelled = authorization("a", "ALLOW", labels={"istio.io/rev": "prod"})
    tagged = view_of([*WORKLOADS, labelled], known=KNOWN, revisions={"default": "default", "prod": "default"})
    assert selection.other_revision(tagged) == []
    unknown = view_of([*WORKLOADS, labelled], known=KNOWN, revisions=None)
    assert selection.other_revision(unknown) == [], "whether it is a tag is not known"


def test_port_modes_count_where_a_container_listens() -> None:
    spec = {"selector": {"matchLabels": {"app": "httpbin"}}, "portLevelMtls": {"8080": {"mode": "STRICT"}}}
    right = policy("PeerAuthentication", "port", spec)
    seen = view(right)
    assert peers.port_of_the_service(seen) == []
    workload = next(one for one in seen.workloads if one.name == "httpbin")
    assert str(peers.mode_at(seen, workload, 8080)) == "STRICT by PeerAuthentication mtls-service/port"
    assert str(peers.mode_at(seen, workload, 9999)).startswith("PERMISSIVE by default")


def test_mode_of_several_policies_of_one_level_is_not_known_without_their_age() -> None:
    young = policy("PeerAuthentication", "a", {"mtls": {"mode": "STRICT"}}, creationTimestamp="")
    seen = view(young, policy("PeerAuthentication", "b", {"mtls": {"mode": "DISABLE"}}))
    assert peers.mode_at(seen, seen.workloads[0], None) is None


@pytest.mark.parametrize(
    ("name", "protocol"),
    [("http", "http"), ("http-web", "http"), ("grpc-web", "http"), ("tcp-a", "tcp"), ("https", "tcp"), ("web", "")],
)
def test_protocol_of_a_port(name: str, protocol: str) -> None:
    assert ServiceView.from_json(service("a", name)).ports[0].protocol == protocol


def test_app_protocol_comes_first() -> None:
    body = service("a", "http")
    body["spec"]["ports"][0]["appProtocol"] = "tcp"
    assert ServiceView.from_json(body).ports[0].protocol == "tcp"


@pytest.mark.parametrize(
    ("rule", "claims", "why"),
    [
        (when("request.auth.claims[email_verified]", "true"), {"email_verified": True}, "a boolean (true)"),
        (when("request.auth.claims[level]", "3"), {"level": 3}, "a number (3)"),
        (when("request.auth.claims[roles]", "admin"), {"roles": {"x": ["admin"]}}, "an object"),
        (when("request.auth.claims[roles]", "admin"), {}, "the token has no claim roles"),
        (when("request.auth.claims[roles]", "admin"), {"roles": ["editor"]}, "claim roles is ['editor']"),
        (when("request.auth.claims[a][b]", "x"), {"a": {"b": "y"}}, "claim b is 'y'"),
        (when("request.auth.audiences", "shop"), {}, "the token has no claim aud"),
        (source(requestPrincipals=["*"]), {"sub": None}, "has no sub"),
        (to(methods=["POST"]), {}, "the request's method is GET"),
        (to(methods=["get"]), {}, "compared letter by letter"),
        (to(paths=["/IP"]), {}, "compared letter by letter"),
        (to(paths=["/"]), {}, "/ is an exact path"),
        (to(ports=["8000"]), {}, "the container's port is 8080"),
        (to(notMethods=["GET"]), {}, "notMethods [GET] excludes it"),
        (
            source(serviceAccounts=["mtls-client/s.eep"]),
            {},
            "differs only where the rule's mtls-client/s.eep has a dot",
        ),
        (source(notNamespaces=["mtls-client"]), {}, "excludes it"),
    ],
)
def test_why_a_rule_does_not_match(rule: dict[str, object], claims: dict[str, object], why: str) -> None:
    case = PolicySample("", (TOKENS,), request=token(**claims)).case
    match = matching.rule(case, rule)
    assert match.yes is False
    assert why in match.why


@pytest.mark.parametrize(
    ("rule", "claims"),
    [
        (when("request.auth.claims[roles]", "admin"), {"roles": ["editor", "admin"]}),
        (when("request.auth.claims[a][b]", "x*"), {"a": {"b": "xyz"}}),
        (source(requestPrincipals=[f"{TESTING}/*"]), {}),
        (source(principals=["cluster.local/ns/mtls-client/*"]), {}),
        (source(serviceAccounts=["mtls-client/sleep"]), {}),
        (to(methods=["GET"], paths=["/ip"]), {}),
        ({}, {}),
    ],
)
def test_a_rule_matches(rule: dict[str, object], claims: dict[str, object]) -> None:
    assert matching.rule(PolicySample("", (TOKENS,), request=token(**claims)).case, rule).yes is True


@pytest.mark.parametrize(
    "rule",
    [
        source(ipBlocks=["10.0.0.0/8"]),
        when("request.auth.claims[roles]", "admin"),
        to(paths=["/{*}/x"]),
        to(hosts=["other.example.com"]),
        when("experimental.envoy.filters.a[b]", "c"),
    ],
)
def test_what_is_not_known_is_not_guessed(rule: dict[str, object]) -> None:
    case = PolicySample("", (TOKENS,), request=replace(GET, claims=None)).case
    assert matching.rule(case, rule).yes is None
    space = PolicySample("", (TOKENS,), request=token(roles="editor admin")).case
    assert matching.rule(space, when("request.auth.claims[roles]", "admin")).yes is None


def test_identity_is_not_known_where_a_destination_rule_may_change_it() -> None:
    rule = {
        "kind": "DestinationRule",
        "metadata": {"name": "plain", "namespace": "mtls-client"},
        "spec": {"host": "httpbin.mtls-service.svc.cluster.local", "trafficPolicy": {"tls": {"mode": "DISABLE"}}},
    }
    case = PolicySample("", (rule,)).case
    assert case.no_identity == "DestinationRule mtls-client/plain disables mutual TLS"
    elsewhere = {**rule, "spec": {**rule["spec"], "host": "httpbin.mtls-service.svc.corp.internal"}}
    assert PolicySample("", (elsewhere,)).case.no_identity == case.no_identity, "in a cluster of another domain"
    other = {**rule, "spec": {"host": "*.local", "trafficPolicy": {"tls": {"mode": "SIMPLE"}}}}
    assert PolicySample("", (other,)).case.principal is None


PLAIN, MUTUAL = {"tls": {"mode": "DISABLE"}}, {"tls": {"mode": "ISTIO_MUTUAL"}}


@pytest.mark.parametrize(
    ("own", "at_port", "host", "disabled"),
    [
        (PLAIN, None, "httpbin.mtls-service.svc.cluster.local", True),
        (PLAIN, (8000, MUTUAL), "httpbin.mtls-service.svc.cluster.local", False),
        (PLAIN, (9000, MUTUAL), "httpbin.mtls-service.svc.cluster.local", True),
        (MUTUAL, (8000, PLAIN), "httpbin.mtls-service.svc.cluster.local", True),
        ({}, (8000, PLAIN), "httpbin.mtls-service.svc.cluster.local", True),
        ({}, (9000, PLAIN), "httpbin.mtls-service.svc.cluster.local", False),
        (PLAIN, (8000, {"loadBalancer": {"simple": "RANDOM"}}), "httpbin.mtls-service.svc.cluster.local", False),
        (PLAIN, None, "httpbin", True),
        (PLAIN, None, "ledger", False),
    ],
)
def test_a_caller_shows_no_identity_where_a_rule_disables_tls_to_the_port(
    own: Json, at_port: tuple[int, Json] | None, host: str, disabled: bool
) -> None:
    """A port's own settings count in place of the rule's, also where they state no TLS (Istio, DestinationRule)."""
    ports = [{"port": {"number": at_port[0]}, **at_port[1]}] if at_port else []
    body = destination("one", host, {}, "mtls-service")
    body["spec"]["trafficPolicy"] = {**own, "portLevelSettings": ports}
    expected = "DestinationRule mtls-service/one disables mutual TLS" if disabled else ""
    assert PolicySample("", (body,)).case.no_identity == expected


@pytest.mark.parametrize("port", [8000, 8001])
def test_a_mode_of_one_port_says_nothing_of_a_request_whose_port_is_not_known(port: int) -> None:
    """Only a mode that all ports of the Service have is the request's."""
    two = service()
    two["spec"]["ports"].append({"name": "http-2", "port": 8001, "targetPort": 8081, "protocol": "TCP"})
    body = destination("one", "httpbin.mtls-service.svc.cluster.local", {}, "mtls-service")
    body["spec"]["trafficPolicy"] = {"portLevelSettings": [{"port": {"number": port}, **PLAIN}]}
    case = PolicySample("", (two, body), request=replace(GET, port=None)).case
    assert case.no_identity == ""
    body["spec"]["trafficPolicy"]["portLevelSettings"] = [{"port": {"number": n}, **PLAIN} for n in (8000, 8001)]
    assert PolicySample("", (two, body), request=replace(GET, port=None)).case.no_identity


def test_who_shows_no_identity_matches_what_is_negated() -> None:
    no_identity = authorization("strangers", "DENY", source(notPrincipals=["*"]))
    sample = replace(closed("", no_identity), caller=LEGACY)
    assert [one.text for one in decisions.denied_by(sample.case)] == [
        "AuthorizationPolicy mtls-service/strangers refuses it: rule 0 matches"
    ]
    both = view(no_identity, authorization("keep-out", "DENY", source(namespaces=["legacy-client"])))
    assert strangers.stranger_not_denied(both) == [], "the other policy refuses them"


def test_strict_on_every_port_lets_no_stranger_in() -> None:
    keep_out = authorization("keep-out", "DENY", source(namespaces=["legacy-client"]))
    spec = {"selector": {"matchLabels": {"app": "httpbin"}}, "portLevelMtls": {"8080": {"mode": "STRICT"}}}
    assert strangers.stranger_not_denied(view(keep_out, policy("PeerAuthentication", "port", spec))) == []
    assert strangers.stranger_not_denied(view(keep_out)), "the port of the proxy's own statistics is not asked"


def test_rules_are_not_evaluated_on_a_tcp_port() -> None:
    get_only = policy("AuthorizationPolicy", "readers", {"action": "ALLOW", "rules": [to(methods=["GET"])]})
    sample = closed("", get_only, app="ledger")
    [reason] = detectors.of_case([sample.case])
    assert "such a rule is left out there" in reason.text


def test_a_mode_of_the_wrong_direction_is_not_the_reason() -> None:
    """STRICT in the place of PERMISSIVE does not let a request in."""
    wide = policy("PeerAuthentication", "default", {"mtls": {"mode": "PERMISSIVE"}}, "istio-system")
    sample = PolicySample("", (wide, STRICT), expected=None)
    assert detectors.of_case([sample.case]) == []


def test_a_policy_of_a_stage_in_another_namespace_is_named() -> None:
    elsewhere = policy("PeerAuthentication", "restricted", {"mtls": {"mode": "STRICT"}}, "mtls-client")
    sample = PolicySample("", (elsewhere,), caller=LEGACY, expected=None, stage=(elsewhere,))
    [reason] = detectors.of_case([sample.case])
    assert reason.text == (
        "mutual TLS at mtls-service/httpbin port 8080 is PERMISSIVE by default: no PeerAuthentication applies; "
        "PeerAuthentication mtls-client/restricted of this stage is not for it"
    )


def test_a_dry_run_or_an_audit_decides_nothing() -> None:
    dry = authorization("keep-out", "DENY", {}, annotations={"istio.io/dry-run": "true"})
    assert decisions.denied_by(closed("", dry).case) == []
    audit = authorization("require-jwt", "AUDIT", {})
    assert [one.text for one in detectors.of_case([PolicySample("", (audit,)).case])] == [
        "AuthorizationPolicy mtls-service/require-jwt has action AUDIT, and so refuses nothing"
    ]


def test_attached_policies_keep_the_rest_silent() -> None:
    attached = policy("AuthorizationPolicy", "gw", {"targetRefs": [{"kind": "Service", "name": "httpbin"}]})
    assert detectors.of_case([PolicySample("", (attached,)).case]) == []
    assert tokens.token_not_required(view(TOKENS, attached)) == []


def test_a_gateway_may_believe_its_callers_address() -> None:
    gateway = pod("ingress", "mtls-service")
    gateway["spec"]["containers"][1]["args"] = ["proxy", "router"]
    spec = {"selector": {"matchLabels": {"app": "ingress"}}, "rules": [source(remoteIpBlocks=["198.51.100.0/24"])]}
    assert rules.remote_address_believed(view(gateway, policy("AuthorizationPolicy", "office", spec))) == []


def test_caller_in_the_mesh_is_known_by_its_account() -> None:
    assert PolicySample("", caller=MESH).case.principal == "ns/mtls-client/sa/sleep"
