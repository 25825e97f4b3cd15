"""What a proxy holds and what was applied: each difference is named, and what istiod makes of a policy is none."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from clients.kube.pods import Pod
from clients.mesh.applied_policies import differences, selects, unknown_policies
from clients.mesh.enforced import Enforced, enforced, keys

pytestmark = pytest.mark.unit

POD = Pod("shop", "httpbin-1", labels={"app": "httpbin", "version": "v1"}, containers=("httpbin", "istio-proxy"))
JWKS = json.dumps({"keys": [{"kty": "RSA", "kid": "a", "n": "x", "e": "AQAB"}]})
OTHER_JWKS = JWKS.replace('"x"', '"y"')


def policy(kind: str, name: str, spec: dict[str, Any], namespace: str = "shop", **meta: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace, **meta}, "spec": spec}


REQUIRE = policy(
    "AuthorizationPolicy",
    "require-jwt",
    {
        "selector": {"matchLabels": {"app": "httpbin"}},
        "rules": [
            {
                "from": [{"source": {"requestPrincipals": ["iss.example/sub"], "namespaces": ["team-*"]}}],
                "to": [{"operation": {"methods": ["GET"], "paths": ["/ip*"], "ports": ["8080"]}}],
                "when": [
                    {"key": "request.auth.claims[scope]", "values": ["read"]},
                    {"key": "remote.ip", "values": ["10.1.2.3/8"]},
                ],
            }
        ],
    },
)
TOKENS = policy(
    "RequestAuthentication",
    "tokens",
    {"jwtRules": [{"issuer": "iss.example", "jwks": JWKS, "audiences": ["door"]}]},
)
TOKENS_NAMED = "RequestAuthentication shop/tokens"
STRICT = policy("PeerAuthentication", "strict", {"mtls": {"mode": "STRICT"}})


def exact(text: str) -> dict[str, Any]:
    return {"string_match": {"exact": text}}


RULE = {
    "permissions": [
        {"header": {"name": ":method", **exact("GET")}},
        {"url_path": {"path": {"prefix": "/ip"}}},
        {"destination_port": 8080},
    ],
    "principals": [
        {"metadata": {"path": [{"key": "payload"}, {"key": "iss"}], "value": exact("iss.example")}},
        {"metadata": {"path": [{"key": "payload"}, {"key": "sub"}], "value": exact("sub")}},
        {"metadata": {"path": [{"key": "payload"}, {"key": "scope"}], "value": exact("read")}},
        {"authenticated": {"principal_name": {"safe_regex": {"regex": ".*/ns/team-.*/.*"}}}},
        {"remote_ip": {"address_prefix": "10.0.0.0", "prefix_len": 8}},
    ],
}


def dump(rule: dict[str, Any] | None = RULE, jwks: str = JWKS, *, tls: bool = True, plain: bool = False) -> Any:
    """Of a sidecar: a port with HTTP, behind filters that hold the rule and the keys."""
    rbac = {"@type": "x/envoy.extensions.filters.http.rbac.v3.RBAC", "rules": {"policies": {}}}
    if rule is not None:
        rbac["rules"]["policies"]["ns[shop]-policy[require-jwt]-rule[0]"] = rule  # type: ignore[index]
    provider = {"issuer": "iss.example", "audiences": ["door"], "local_jwks": {"inline_string": jwks}}
    jwt = {"@type": "x/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication", "providers": {"o-0": provider}}
    http = {"typed_config": {"http_filters": [{"typed_config": jwt}, {"typed_config": rbac}]}}
    chains: list[dict[str, Any]] = [{"filter_chain_match": {"destination_port": 15006}, "filters": []}]
    if tls:
        match = {"destination_port": 8080, "transport_protocol": "tls"}
        chains.append({"filter_chain_match": match, "transport_socket": {}, "filters": [http]})
    if plain:
        match = {"destination_port": 8080, "transport_protocol": "raw_buffer"}
        chains.append({"filter_chain_match": match, "filters": [http]})
    return {"configs": [{"active_state": {"listener": {"filter_chains": chains}}}]}


def found(*policies: Any, **how: Any) -> list[str]:
    return differences(policies, POD, enforced(dump(**how)))


def test_what_was_applied_and_is_there_is_no_difference() -> None:
    assert found(REQUIRE, TOKENS, STRICT) == []


def test_a_dump_of_all_listeners_is_read_too() -> None:
    whole = {"configs": [{"dynamic_listeners": dump()["configs"]}]}
    assert enforced(whole) == enforced(dump())


def test_a_policy_that_is_not_there() -> None:
    assert found(REQUIRE, rule=None) == ["AuthorizationPolicy shop/require-jwt is not there"]


@pytest.mark.parametrize(
    ("path", "value", "difference"),
    [
        (("to", 0, "operation", "paths"), ["/admin"], "rule 0 of AuthorizationPolicy shop/require-jwt lacks admin"),
        (("to", 0, "operation", "methods"), ["POST"], "lacks post"),
        (("to", 0, "operation", "ports"), ["9090"], "lacks 9090"),
        (("from", 0, "source", "requestPrincipals"), ["iss.example/other"], "lacks other"),
        (("from", 0, "source", "namespaces"), ["crew-*"], "lacks crew"),
        (("when", 0, "values"), ["write"], "lacks write"),
        (("to", 0, "operation", "methods"), [], "has get, which the object does not state"),
    ],
)
def test_a_stale_rule_of_the_same_name(path: tuple[Any, ...], value: Any, difference: str) -> None:
    """The object has been changed, and the proxy still has the rule from before."""
    changed = copy.deepcopy(REQUIRE)
    place = changed["spec"]["rules"][0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    [text] = found(changed)
    assert difference in text


def test_a_rule_too_few_and_one_too_many() -> None:
    two = copy.deepcopy(REQUIRE)
    two["spec"]["rules"].append({"to": [{"operation": {"methods": ["GET"]}}]})
    assert found(two) == ["rule 1 of AuthorizationPolicy shop/require-jwt is not there"]
    held = enforced(dump())
    held.rules["shop", "require-jwt", 1] = [RULE]
    [text] = differences([REQUIRE], POD, held)
    assert text == "rule 1 of AuthorizationPolicy shop/require-jwt is there, which the object does not have"


def test_rules_of_external_authorization_and_of_dry_runs_count() -> None:
    whole = dump(rule=None)
    rbac = whole["configs"][0]["active_state"]["listener"]["filter_chains"][1]["filters"][0]["typed_config"]
    shadow = {"policies": {"istio-ext-authz-door-ns[shop]-policy[require-jwt]-rule[0]": RULE}}
    rbac["http_filters"][1]["typed_config"]["shadow_rules"] = shadow
    assert differences([REQUIRE], POD, enforced(whole)) == []


@pytest.mark.parametrize("spec", [{}, {"action": "DENY"}, {"action": "AUDIT", "rules": [{}]}])
def test_policies_without_a_form_of_their_own_are_not_compared(spec: dict[str, Any]) -> None:
    assert found(policy("AuthorizationPolicy", "other", spec)) == []


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (
            {"issuer": "other.example"},
            "RequestAuthentication shop/tokens is not there: no provider of issuer other.exam",
        ),
        ({"jwks": OTHER_JWKS}, "the provider of issuer iss.example has other keys"),
        ({"audiences": ["window"]}, "has audiences ['door'], not ['window']"),
    ],
)
def test_a_provider_that_is_stale(change: dict[str, Any], difference: str) -> None:
    changed = copy.deepcopy(TOKENS)
    changed["spec"]["jwtRules"][0] |= change
    [text] = found(changed)
    assert difference in text


def with_another_provider(**provider: Any) -> Any:
    whole = dump()
    http = whole["configs"][0]["active_state"]["listener"]["filter_chains"][1]["filters"][0]["typed_config"]
    providers = http["http_filters"][0]["typed_config"]["providers"]
    providers["o-1"] = providers["o-0"] | provider
    return whole


@pytest.mark.parametrize(("skew", "wrong"), [(None, False), (0, False), (60, False), (61, True), (31_536_000, True)])
def test_no_policy_allows_for_another_clock(skew: int | None, wrong: bool) -> None:
    """Whichever of the issuer's providers does."""
    shown = with_another_provider(**({} if skew is None else {"clock_skew_seconds": skew}))
    text = "; ".join(differences([TOKENS], POD, enforced(shown)))
    assert text == (
        f"{TOKENS_NAMED}: the provider of issuer iss.example allows for clocks {skew} s off, not 60 s" * wrong
    )


def test_keys_that_the_mesh_fetches_are_not_compared() -> None:
    fetched = copy.deepcopy(TOKENS)
    fetched["spec"]["jwtRules"][0].pop("jwks")
    assert found(fetched, jwks=OTHER_JWKS) == []
    assert keys("no JSON") == frozenset()


@pytest.mark.parametrize(
    ("mode", "tls", "plain", "difference"),
    [
        ("STRICT", True, True, "is STRICT, but port 8080 takes mutual TLS and plaintext"),
        ("STRICT", True, False, ""),
        ("PERMISSIVE", True, True, ""),
        ("PERMISSIVE", True, False, "is PERMISSIVE, but port 8080 takes mutual TLS"),
        ("DISABLE", False, True, ""),
        ("DISABLE", True, True, "is DISABLE, but port 8080 takes mutual TLS and plaintext"),
        ("UNSET", True, True, ""),
    ],
)
def test_the_mode_of_mutual_tls(mode: str, tls: bool, plain: bool, difference: str) -> None:
    peers = policy("PeerAuthentication", "peers", {"mtls": {"mode": mode}})
    assert "; ".join(found(peers, tls=tls, plain=plain)) == (
        f"PeerAuthentication shop/peers {difference}" if difference else ""
    )


def roots(name: str, cluster: str = "sds-grpc", **inline: Any) -> dict[str, Any]:
    """A validation context as istiod makes it: the agent gives the authority of this name."""
    grpc = {"api_type": "GRPC", "grpc_services": [{"envoy_grpc": {"cluster_name": cluster}}]}
    secret = {"name": name, "sds_config": {"api_config_source": grpc}}
    contexts = {"default_validation_context": inline, "validation_context_sds_secret_config": secret}
    return {"combined_validation_context": contexts}


def inline(**authority: str) -> dict[str, Any]:
    return {"validation_context": {"trusted_ca": authority}}


_ROOTS = roots("ROOTCA")
_ANY_ROOT = {
    "combined_validation_context": {"default_validation_context": {"trust_chain_verification": "ACCEPT_UNTRUSTED"}}
}
_UNVERIFIED, _FOREIGN = "takes TLS without a verified client", "trusts another authority than the mesh's"
_MOUNTED = "/var/run/secrets/workload-spiffe-credentials/ca_certificates.pem"


def demanding(common: dict[str, Any]) -> dict[str, Any]:
    return {"require_client_certificate": True, "common_tls_context": common}


@pytest.mark.parametrize(
    ("socket", "difference"),
    [
        (demanding(_ROOTS), ""),
        ({"require_client_certificate": False, "common_tls_context": _ROOTS}, _UNVERIFIED),
        ({"common_tls_context": _ROOTS}, _UNVERIFIED),
        (demanding({}), _UNVERIFIED),
        (demanding({"validation_context": {}}), _UNVERIFIED),
        (demanding(_ANY_ROOT), _UNVERIFIED),
        (demanding(inline(inline_string="EVIL")), _FOREIGN),
        (demanding(inline(inline_bytes="EVIL")), _FOREIGN),
        (demanding(inline(filename="/etc/ssl/certs/ca-certificates.crt")), _FOREIGN),
        (demanding(inline(filename=_MOUNTED)), ""),
        (demanding(roots("file-root:/etc/certs/root-cert.pem")), ""),
        (demanding(roots("file-root:system")), _FOREIGN),
        (demanding(roots("kubernetes://evil-cacert")), _FOREIGN),
        (demanding({"validation_context_sds_secret_config": {"name": "evil", "sds_config": {"ads": {}}}}), _FOREIGN),
        (demanding(roots("another-mesh", cluster="its-own-source")), ""),
        (demanding({"validation_context_certificate_provider_instance": {"instance_name": "mesh"}}), ""),
        ({"another": "socket"}, ""),
    ],
)
def test_strict_verifies_the_certificate_of_every_client(socket: dict[str, Any], difference: str) -> None:
    for mode in ("STRICT", "PERMISSIVE"):
        shown = dump(plain=mode == "PERMISSIVE")
        chain = shown["configs"][0]["active_state"]["listener"]["filter_chains"][1]
        chain["transport_socket"] = {"typed_config": socket}
        peers = policy("PeerAuthentication", "peers", {"mtls": {"mode": mode}})
        text = "; ".join(differences([peers], POD, enforced(shown)))
        assert bool(text) is bool(difference and mode == "STRICT")
        assert difference in text or mode == "PERMISSIVE"


_NAMED = {"match_subject_alt_names": [{"prefix": "spiffe://cluster.local/"}]}
_TYPED = {"match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"prefix": "spiffe://cluster.local/"}}]}


@pytest.mark.parametrize(
    ("other", "own", "difference"),
    [
        (_NAMED, _TYPED, ""),
        (_NAMED, {}, "port 8080 takes certificates of any trust domain"),
        ({}, {}, ""),  # the mesh leaves them out
        (_NAMED, _NAMED | {"allow_expired_certificate": True}, "port 8080 takes expired certificates"),
        (_NAMED, _NAMED | {"allow_expired_certificate": False}, ""),
    ],
)
def test_what_strict_demands_of_a_certificate(other: dict[str, Any], own: dict[str, Any], difference: str) -> None:
    shown = dump()
    listener = shown["configs"][0]["active_state"]["listener"]
    listener["name"] = "virtualInbound"
    listener["filter_chains"][1]["transport_socket"] = {"typed_config": demanding(roots("ROOTCA", **own))}
    match = {"transport_protocol": "tls"}
    socket = {"typed_config": demanding(roots("ROOTCA", **other))}
    listener["filter_chains"].append({"filter_chain_match": match, "transport_socket": socket})
    text = "; ".join(differences([STRICT], POD, enforced(shown)))
    assert text == (f"PeerAuthentication shop/strict is STRICT, but {difference}" if difference else "")
    open_to_all = policy("PeerAuthentication", "peers", {"mtls": {"mode": "UNSET"}})
    assert differences([open_to_all], POD, enforced(shown)) == []


@pytest.mark.parametrize(
    ("mode", "more", "difference"),
    [
        ("STRICT", [], ""),
        ("STRICT", [{"transport_protocol": "raw_buffer"}], "a port that no Service has takes mutual TLS and plaintext"),
        ("STRICT", [None], "a port that no Service has takes mutual TLS and plaintext"),
        ("UNSET", [{"transport_protocol": "raw_buffer"}], ""),
    ],
)
def test_ports_that_no_service_has(mode: str, more: list[Any], difference: str) -> None:
    shown = dump()
    listener = shown["configs"][0]["active_state"]["listener"]
    listener["name"] = "virtualInbound"
    listener["filter_chains"].append({"filter_chain_match": {"transport_protocol": "tls"}, "transport_socket": {}})
    for match in more:
        if match is None:
            listener["default_filter_chain"] = {"filters": []}
        else:
            listener["filter_chains"].append({"filter_chain_match": match})
    peers = policy("PeerAuthentication", "peers", {"mtls": {"mode": mode}})
    found = "; ".join(differences([peers], POD, enforced(shown)))
    assert found == (f"PeerAuthentication shop/peers is STRICT, but {difference}" if difference else "")


def test_chains_without_a_port_elsewhere_say_nothing_of_the_workload() -> None:
    """A gateway's listeners have none, and those of HBONE end TLS before."""
    shown = dump()
    for name in ("0.0.0.0_8443", "main_internal", "virtualOutbound"):
        chains = [{"filter_chain_match": {"transport_protocol": "raw_buffer"}}]
        shown["configs"].append({"active_state": {"listener": {"name": name, "filter_chains": chains}}})
    assert differences([STRICT], POD, enforced(shown)) == []


def test_the_most_specific_mode_counts_and_a_ports_own_before_it() -> None:
    own = policy(
        "PeerAuthentication",
        "own",
        {
            "selector": {"matchLabels": {"app": "httpbin"}},
            "mtls": {"mode": "STRICT"},
            "portLevelMtls": {"8080": {"mode": "PERMISSIVE"}},
        },
    )
    mesh = policy("PeerAuthentication", "mesh", {"mtls": {"mode": "DISABLE"}}, "istio-system")
    assert found(mesh, STRICT, own, tls=True, plain=True) == []
    assert found(mesh, STRICT, tls=True, plain=False) == []
    assert found(STRICT, {**STRICT, "metadata": {"name": "b", "namespace": "shop"}}, tls=True, plain=True) == []


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (policy("AuthorizationPolicy", "p", {}), True),
        (policy("AuthorizationPolicy", "p", {}, "elsewhere"), False),
        (policy("AuthorizationPolicy", "p", {}, "istio-system"), True),
        (policy("AuthorizationPolicy", "p", {"selector": {"matchLabels": {"app": "httpbim"}}}), False),
        (policy("PeerAuthentication", "p", {}, "istio-system"), True),
        (policy("PeerAuthentication", "p", {"selector": {"matchLabels": {"app": "httpbin"}}}, "istio-system"), False),
        (policy("AuthorizationPolicy", "p", {}, labels={"istio.io/rev": "canary"}), False),
        (policy("AuthorizationPolicy", "p", {"targetRefs": [{"kind": "Service", "name": "httpbin"}]}), False),
        (policy("AuthorizationPolicy", "p", {"targetRef": {"kind": "Gateway", "name": "door"}}), False),
    ],
)
def test_which_policies_are_a_workloads_own(one: dict[str, Any], expected: bool) -> None:
    assert selects(one, POD) is expected


def test_a_selector_in_the_root_namespace_is_one_of_no_workload() -> None:
    own = policy("PeerAuthentication", "p", {"selector": {"matchLabels": {"app": "httpbin"}}}, "istio-system")
    assert not selects(own, Pod("istio-system", "httpbin-1", labels={"app": "httpbin"}))


def test_a_policy_for_a_gateway_of_the_gateway_api() -> None:
    door = Pod("shop", "door-1", labels={"gateway.networking.k8s.io/gateway-name": "door"})
    assert selects(policy("AuthorizationPolicy", "p", {"targetRef": {"kind": "Gateway", "name": "door"}}), door)


def test_policies_that_no_manifest_has() -> None:
    assert unknown_policies([], enforced(dump())) == {("shop", "require-jwt")}
    assert unknown_policies([REQUIRE], enforced(dump())) == set()
    assert unknown_policies([], Enforced()) == set()


BY_ACCOUNT = policy(
    "AuthorizationPolicy",
    "require-jwt",
    {"rules": [{"from": [{"source": {"principals": ["cluster.local/ns/team/sa/web", "cluster.local/*"]}}]}]},
)


def of_accounts(*names: str) -> dict[str, Any]:
    return {"principals": [{"authenticated": {"principal_name": {"exact": name}}} for name in names]}


@pytest.mark.parametrize("domains", [("cluster.local",), ("acme.corp",), ("shop.svc.id.goog", "old.corp")])
def test_a_proxy_has_the_meshs_own_trust_domain_and_its_aliases(domains: tuple[str, ...]) -> None:
    """Istio takes `cluster.local` in a policy for the mesh's own; each rule with it was said to lack that."""
    held = [f"spiffe://{domain}/{rest}" for domain in domains for rest in ("ns/team/sa/web", "")]
    assert found(BY_ACCOUNT, rule=of_accounts(*held)) == []
    assert "lacks web" in "; ".join(found(BY_ACCOUNT, rule=of_accounts(held[0].replace("web", "other"))))
    [text] = found(BY_ACCOUNT, rule=of_accounts(*held, held[0].replace("web", "other")))
    assert "has other, which the object does not state" in text
