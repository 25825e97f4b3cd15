"""For each detector: objects as the API server returns them, and the line that they must give.

`docs/why.md` shows these lines, so that page and detectors cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from clients.mesh.access_logs.accesslog import parse
from clients.mesh.why import reading
from clients.mesh.why.reason import Effect
from clients.mesh.why.request import Caller, CaseView, RequestFacts
from clients.mesh.why.view import PolicyView, view_of

Json = dict[str, Any]
KNOWN = tuple(reading.KINDS)
TESTING = "testing@secure.istio.io"


def policy(kind: str, name: str, spec: Json, namespace: str = "mtls-service", **meta: Any) -> Json:
    """A policy with the metadata that the API server adds."""
    made = {
        "creationTimestamp": "2026-11-27T10:00:00Z",
        "generation": 1,
        "resourceVersion": "812",
        "uid": f"uid-{name}",
    }
    head = {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "meshproof"}}
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": kind,
        "metadata": {**made, **head, **meta},
        "spec": spec,
        "status": {},
    }


def authorization(name: str, action: str, *rules: Json, **meta: Any) -> Json:
    """An AuthorizationPolicy for httpbin."""
    return policy(
        "AuthorizationPolicy", name, {"selector": {"matchLabels": {"app": "httpbin"}}, "action": action,
        "rules": list(rules)}, **meta
    )  # fmt: skip


def pod(app: str = "httpbin", namespace: str = "mtls-service", *, sidecar: bool = True, **notes: str) -> Json:
    """A pod after injection, as the API returns it."""
    containers = [
        {"name": app, "image": f"meshproof/{app}", "ports": [{"containerPort": 8080, "protocol": "TCP"}]},
    ]
    proxy = {"name": "istio-proxy", "image": "proxyv2", "args": ["proxy", "sidecar", "--domain"], "ports": [
        {"name": "http-envoy-prom", "containerPort": 15090, "protocol": "TCP"}]}  # fmt: skip
    status = '{"initContainers":null,"containers":["istio-proxy"],"volumes":["istio-envoy"],"revision":"default"}'
    annotations = {"istio.io/rev": "default", "sidecar.istio.io/status": status} if sidecar else {}
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"{app}-6c9f7b8d5-x2x7p",
            "namespace": namespace,
            "labels": {"app": app, "pod-template-hash": "6c9f7b8d5", "security.istio.io/tlsMode": "istio"},
            "annotations": annotations | {key.replace("__", "/"): value for key, value in notes.items()},
        },
        "spec": {"serviceAccountName": app, "containers": containers + [proxy] * sidecar},
        "status": {"phase": "Running", "podIP": "10.244.1.7"},
    }


def network(name: str, spec: Json, namespace: str = "mtls-client") -> Json:
    """A NetworkPolicy."""
    return policy("NetworkPolicy", name, spec, namespace) | {"apiVersion": "networking.k8s.io/v1"}


def destination(name: str, host: str, tls: Json, namespace: str = "mtls-client") -> Json:
    """A DestinationRule with settings of TLS."""
    body = policy("DestinationRule", name, {"host": host, "trafficPolicy": {"tls": tls}}, namespace)
    return body | {"apiVersion": "networking.istio.io/v1"}


def entry(name: str, hosts: list[str], port: Json, **spec: Any) -> Json:
    """A ServiceEntry with one port."""
    body = policy("ServiceEntry", name, {"hosts": hosts, "ports": [port], **spec}, "mtls-client")
    return body | {"apiVersion": "networking.istio.io/v1"}


def service(name: str = "httpbin", port_name: str = "http", number: int = 8000) -> Json:
    """A Service in front of the pods of that name."""
    port = {"name": port_name, "port": number, "targetPort": 8080, "protocol": "TCP"}
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "mtls-service"},
        "spec": {"selector": {"app": name}, "ports": [port], "clusterIP": "10.96.3.4"},
    }


WORKLOADS = (
    pod(),
    pod("ledger"),
    pod("sleep", "mtls-client"),
    pod("sleep", "legacy-client", sidecar=False),
    service(),
    service("ledger", "tcp-ledger", 9000),
)
TOKENS = policy(
    "RequestAuthentication",
    "jwt-example",
    {
        "selector": {"matchLabels": {"app": "httpbin"}},
        "jwtRules": [{"issuer": TESTING, "jwksUri": "https://example.com"}],
    },
)
STRICT = policy("PeerAuthentication", "default", {"mtls": {"mode": "STRICT"}})
MESH = Caller("mtls-client/sleep", "mtls-client", "sleep", injected=True)
LEGACY = Caller("legacy-client/sleep", "legacy-client", "sleep", injected=False)
GET = RequestFacts("GET", "/ip", "httpbin.mtls-service:8000", port=8080, claims={})


def view(*objects: Json, known: tuple[str, ...] = KNOWN) -> PolicyView:
    """These objects, with its workloads."""
    return view_of([*WORKLOADS, *objects], known=known, revisions={"default": "default", "canary": "canary"})


@dataclass(frozen=True)
class PolicySample:
    """Objects, and for a detector of requests the request, with the line that must come of it."""

    line: str
    objects: tuple[Json, ...] = ()
    effect: Effect = Effect.OPEN
    caller: Caller = MESH
    request: RequestFacts = GET
    expected: int | None = 403
    observed: int | None = 200
    log: str = ""
    app: str = "httpbin"
    stage: tuple[Json, ...] = ()
    outbound: bool = False

    @property
    def view(self) -> PolicyView:
        """Of the objects."""
        return view(*self.objects)

    @property
    def case(self) -> CaseView:
        """The request at the workload."""
        seen = self.view
        workload = next(one for one in seen.workloads if one.name == self.app)
        return CaseView(
            view=seen,
            workload=workload,
            caller=self.caller,
            request=self.request,
            effect=self.effect,
            expected=self.expected,
            observed=self.observed,
            entries=tuple(parse([self.log])) if self.log else (),
            stage=frozenset((one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]) for one in self.stage),
            outbound=self.outbound,
        )


def denied(details: str, status: int = 403, route: str = "default", cluster: str = "inbound|8080||") -> str:
    """A line of a proxy's access log in Istio's format."""
    return (
        f'[2026-11-27T10:00:01.123Z] "GET /ip HTTP/1.1" {status} - {details} - "-" 0 19 0 - "-" "curl/8.5.0" '
        f'"mp-run-1" "httpbin.mtls-service:8000" "-" {cluster} - 10.244.1.7:8080 10.244.1.9:20011 - {route}'
    )


def when(key: str, *values: str) -> Json:
    """A rule with one condition."""
    return {"when": [{"key": key, "values": list(values)}]}


def to(**operation: list[str]) -> Json:
    """A rule with one operation."""
    return {"to": [{"operation": operation}]}


def source(**fields: list[str]) -> Json:
    """A rule with one source."""
    return {"from": [{"source": fields}]}


def closed(line: str, *objects: Json, **more: Any) -> PolicySample:
    """A request that should have been served and got a 403."""
    return PolicySample(line, objects, effect=Effect.CLOSED, expected=200, observed=403, **more)


def token(**claims: Any) -> RequestFacts:
    """A request with a token of the issuer that httpbin trusts."""
    return replace(GET, claims={"iss": TESTING, "sub": TESTING, **claims})


_REQUIRE = authorization("require-jwt", "ALLOW", source(requestPrincipals=[f"{TESTING}/{TESTING}"]))
_NO_SUBJECT = replace(GET, claims={"iss": TESTING})
_YOUNGER = policy(
    "PeerAuthentication", "strict", {"mtls": {"mode": "STRICT"}}, creationTimestamp="2026-11-27T10:05:00Z"
)
_OLDER = policy("PeerAuthentication", "legacy", {"mtls": {"mode": "PERMISSIVE"}})
_BY_NAMESPACE = authorization("keep-out", "DENY", source(namespaces=["mtls-client", "legacy-client"]))

_DNS = [{"ports": [{"port": 53, "protocol": "UDP"}]}]
_HERE = {"matchLabels": {"kubernetes.io/metadata.name": "mtls-service"}}
OBJECTS: dict[str, PolicySample] = {
    "odd_form": PolicySample(
        "PeerAuthentication mtls-service/ports: spec.portLevelMtls.8080 is a text, where an object is expected",
        (policy("PeerAuthentication", "ports", {"portLevelMtls": {8080: "STRICT"}}),),
    ),
    "other_revision": PolicySample(
        "AuthorizationPolicy mtls-service/require-jwt carries istio.io/rev=canary; the proxies of mtls-service/httpbin "
        "run revision default and never see it",
        (authorization("require-jwt", "ALLOW", labels={"istio.io/rev": "canary"}),),
    ),
    "selects_nothing": PolicySample(
        "AuthorizationPolicy mtls-service/require-jwt selects no workload: app=httpbim matches none in mtls-service "
        "(httpbin has app=httpbin)",
        (policy("AuthorizationPolicy", "require-jwt", {"selector": {"matchLabels": {"app": "httpbim"}}}),),
    ),
    "other_namespace": PolicySample(
        "AuthorizationPolicy mtls-client/require-jwt selects no workload: app=httpbin is in mtls-service, and the "
        "policy in mtls-client",
        (authorization("require-jwt", "ALLOW", namespace="mtls-client"),),
    ),
    "excluded_port": PolicySample(
        "port 8080 of mtls-service/metrics bypasses its proxy (traffic.sidecar.istio.io/excludeInboundPorts): neither "
        "mutual TLS nor authorization applies to it",
        (pod("metrics", **{"traffic.sidecar.istio.io__excludeInboundPorts": "8080"}), service("metrics")),
    ),
    "port_of_the_service": PolicySample(
        "PeerAuthentication mtls-service/httpbin-port sets STRICT for port 8000, which is the port of Service "
        "mtls-service/httpbin; the container's is 8080",
        (
            policy(
                "PeerAuthentication",
                "httpbin-port",
                {"selector": {"matchLabels": {"app": "httpbin"}}, "portLevelMtls": {"8000": {"mode": "STRICT"}}},
            ),
        ),
    ),
    "older_peer": PolicySample(
        "PeerAuthentication mtls-service/strict is not in force at mtls-service/httpbin: PeerAuthentication "
        "mtls-service/legacy of the same level is older",
        (_YOUNGER, _OLDER),
    ),
    "overridden": PolicySample(
        "PeerAuthentication istio-system/default (STRICT) is overridden at mtls-service/httpbin, mtls-service/ledger "
        "by PeerAuthentication mtls-service/legacy (PERMISSIVE)",
        (_OLDER, policy("PeerAuthentication", "default", {"mtls": {"mode": "STRICT"}}, "istio-system")),
    ),
    "root_with_selector": PolicySample(
        "PeerAuthentication istio-system/default has a selector, and so is in force nowhere, also not at "
        "mtls-service/httpbin",
        (
            policy(
                "PeerAuthentication",
                "default",
                {"selector": {"matchLabels": {"app": "httpbin"}}, "mtls": {"mode": "STRICT"}},
                "istio-system",
            ),
        ),
    ),
    "refuses_nothing": PolicySample(
        "AuthorizationPolicy mtls-service/require-jwt is a dry run, and so refuses nothing",
        (authorization("require-jwt", "ALLOW", annotations={"istio.io/dry-run": "true"}),),
    ),
    "http_field_on_tcp": closed(
        "AuthorizationPolicy mtls-service/no-admin uses paths, and port 9000 of Service mtls-service/ledger "
        "(tcp-ledger) is TCP: the rule refuses there without looking at these fields",
        policy("AuthorizationPolicy", "no-admin", {"action": "DENY", "rules": [to(paths=["/admin", "/admin/*"])]}),
        app="ledger",
    ),
    "remote_address_believed": PolicySample(
        "AuthorizationPolicy mtls-service/office-only decides by the remote address at mtls-service/httpbin: a "
        "workload takes it from the caller's own X-Forwarded-For",
        (authorization("office-only", "ALLOW", source(remoteIpBlocks=["198.51.100.0/24"])),),
    ),
    "account_pattern": PolicySample(
        "AuthorizationPolicy mtls-service/only-a: principals 'cluster.local/ns/*/sa/sleep' has '*' in its middle, "
        "where it is no wildcard: it matches no caller",
        (authorization("only-a", "DENY", source(principals=["cluster.local/ns/*/sa/sleep"])),),
    ),
    "method_spelling": PolicySample(
        "AuthorizationPolicy mtls-service/read-only names method post, letter by letter: POST is another method",
        (authorization("read-only", "DENY", to(methods=["post"])),),
    ),
    "path_shape": PolicySample(
        "AuthorizationPolicy mtls-service/no-admin denies exactly /admin: nothing below, and not with a slash at "
        "the end",
        (authorization("no-admin", "DENY", to(paths=["/admin"])),),
    ),
    "stranger_not_denied": PolicySample(
        "AuthorizationPolicy mtls-service/keep-out denies by namespaces: a caller without a sidecar shows no identity "
        "and is let in, as mutual TLS at mtls-service/httpbin is PERMISSIVE by default: no PeerAuthentication applies",
        (_BY_NAMESPACE,),
    ),
    "request_principal_form": PolicySample(
        "AuthorizationPolicy mtls-service/no-tester names request principal tester: it is issuer/subject, so this "
        "matches no token",
        (TOKENS, authorization("no-tester", "DENY", source(requestPrincipals=["tester"]))),
    ),
    "claim_with_dots": PolicySample(
        "AuthorizationPolicy mtls-service/admins asks for request.auth.claims[realm.roles], a claim with dots in its "
        "name; the nested one is request.auth.claims[realm][roles]",
        (TOKENS, authorization("admins", "ALLOW", when("request.auth.claims[realm.roles]", "admin"))),
    ),
    "untrusted_issuer": closed(
        "AuthorizationPolicy mtls-service/need-scope asks for tokens of https://scopes.example.com, and "
        "mtls-service/httpbin verifies tokens of testing@secure.istio.io",
        TOKENS,
        authorization("need-scope", "ALLOW", source(requestPrincipals=["https://scopes.example.com/*"])),
    ),
    "token_not_required": PolicySample(
        "RequestAuthentication mtls-service/jwt-example verifies tokens, and no AuthorizationPolicy at "
        "mtls-service/httpbin requires one",
        (TOKENS,),
    ),
    "selects_no_pod": PolicySample(
        "NetworkPolicy mtls-client/only-dns selects no pod of mtls-client: app=slep",
        (network("only-dns", {"podSelector": {"matchLabels": {"app": "slep"}}, "policyTypes": ["Egress"]}),),
        effect=Effect.UNBLOCKED,
    ),
    "rules_without_type": PolicySample(
        "NetworkPolicy mtls-client/only-dns has rules for egress that do nothing: its policyTypes leave Egress out",
        (network("only-dns", {"podSelector": {}, "policyTypes": ["Ingress"], "egress": _DNS}),),
        effect=Effect.UNBLOCKED,
        app="sleep",
    ),
    "shuts_ingress_too": PolicySample(
        "NetworkPolicy mtls-client/only-dns has no policyTypes, and so limits ingress as well: it lets nothing in",
        (network("only-dns", {"podSelector": {}, "egress": _DNS}),),
        effect=Effect.DROPPED,
        app="sleep",
    ),
    "either_selector": PolicySample(
        "NetworkPolicy mtls-client/to-httpbin names a namespace and then a pod in two entries: it means every pod of "
        "such namespaces, and such pods of mtls-client",
        (
            network(
                "to-httpbin",
                {
                    "podSelector": {},
                    "policyTypes": ["Egress"],
                    "egress": [
                        {"to": [{"namespaceSelector": _HERE}, {"podSelector": {"matchLabels": {"app": "httpbin"}}}]}
                    ],
                },
            ),
        ),
        effect=Effect.UNBLOCKED,
        app="sleep",
    ),
    "network_port_of_the_service": PolicySample(
        "NetworkPolicy mtls-client/to-httpbin names port 8000, which is the port of Service mtls-service/httpbin; the "
        "pod's is 8080",
        (
            network(
                "to-httpbin",
                {
                    "podSelector": {},
                    "policyTypes": ["Egress"],
                    "egress": [
                        {
                            "to": [{"namespaceSelector": _HERE, "podSelector": {"matchLabels": {"app": "httpbin"}}}],
                            "ports": [{"port": 8000, "protocol": "TCP"}],
                        }
                    ],
                },
            ),
        ),
        effect=Effect.DROPPED,
        app="sleep",
    ),
    "no_name_server": PolicySample(
        "NetworkPolicy mtls-client/to-httpbin let nothing out of mtls-client/sleep to port 53: it resolves no names",
        (
            network(
                "to-httpbin",
                {
                    "podSelector": {},
                    "policyTypes": ["Egress"],
                    "egress": [
                        {
                            "to": [{"namespaceSelector": _HERE}],
                            "ports": [{"port": 8080, "protocol": "TCP"}, {"port": 15012}],
                        }
                    ],
                },
            ),
        ),
        effect=Effect.UNRESOLVED,
        app="sleep",
    ),
    "no_control_plane": PolicySample(
        "NetworkPolicy mtls-client/only-dns let nothing out of mtls-client/sleep to port 15012: its proxy gets neither "
        "certificates nor configuration, and a new one does not start",
        (network("only-dns", {"podSelector": {}, "policyTypes": ["Egress"], "egress": _DNS}),),
        effect=Effect.BROKEN,
        app="sleep",
    ),
    "server_not_verified": PolicySample(
        "DestinationRule mtls-client/to-shop starts TLS to shop.example.com and accepts any certificate "
        "(insecureSkipVerify)",
        (destination("to-shop", "shop.example.com", {"mode": "SIMPLE", "insecureSkipVerify": True}),),
    ),
    "plain_text_to_strict": PolicySample(
        "DestinationRule mtls-client/plain sends plain text to port 8000 of Service mtls-service/httpbin, and mutual "
        "TLS at mtls-service/httpbin is STRICT by PeerAuthentication mtls-service/default: every call ends with 503",
        (STRICT, destination("plain", "httpbin.mtls-service.svc.cluster.local", {"mode": "DISABLE"})),
        effect=Effect.BROKEN,
        expected=200,
        observed=503,
    ),
    "mutual_tls_to_no_proxy": PolicySample(
        "DestinationRule mtls-client/mutual demands mutual TLS to Service mtls-service/bare, and mtls-service/bare has "
        "no sidecar: 503",
        (
            pod("bare", sidecar=False),
            service("bare"),
            destination("mutual", "bare.mtls-service.svc.cluster.local", {"mode": "ISTIO_MUTUAL"}),
        ),
        effect=Effect.BROKEN,
        expected=200,
        observed=503,
        app="bare",
    ),
    "short_host": PolicySample(
        "DestinationRule mtls-client/plain is for httpbin of mtls-client, where there is no such Service; "
        "mtls-service/httpbin is another",
        (destination("plain", "httpbin", {"mode": "DISABLE"}),),
    ),
    "entry_for_every_address": PolicySample(
        "ServiceEntry mtls-client/shop has TCP port 443 and no address: every connection to that port, whatever its "
        "name, is one to shop.example.com",
        (entry("shop", ["shop.example.com"], {"number": 443, "name": "tcp", "protocol": "TCP"}, resolution="DNS"),),
    ),
    "dialled_address": PolicySample(
        "ServiceEntry mtls-client/any lets *.example.com go to whatever address the client has dialled (resolution "
        "NONE): the name says nothing about the server",
        (entry("any", ["*.example.com"], {"number": 443, "name": "tls", "protocol": "TLS"}, resolution="NONE"),),
    ),
}
REQUESTS: dict[str, PolicySample] = {
    "refused_by_rule": closed(
        "AuthorizationPolicy mtls-service/deny-all refused it at mtls-service/httpbin by its rule 0 (the proxy's log)",
        authorization("deny-all", "DENY", {}),
        log=denied("rbac_access_denied_matched_policy[ns[mtls-service]-policy[deny-all]-rule[0]]"),
    ),
    "refused_token": PolicySample(
        "RequestAuthentication mtls-service/jwt-example refused the token at mtls-service/httpbin: Jwt is expired",
        (TOKENS,),
        effect=Effect.CLOSED,
        expected=200,
        observed=401,
        log=denied("jwt_authn_access_denied{Jwt_is_expired}", 401),
    ),
    "refused_by_client": PolicySample(
        "the proxy of mtls-client/sleep knows no such host, and sends nothing on (block_all: REGISTRY_ONLY)",
        effect=Effect.BROKEN,
        expected=200,
        observed=502,
        log=denied("direct_response", 502, "block_all", "-"),
        app="sleep",
        outbound=True,
    ),
    "no_sidecar": PolicySample(
        "legacy-client/bare has no sidecar, so no policy applies to it",
        (pod("bare", "legacy-client", sidecar=False),),
        app="bare",
    ),
    "nothing_allows": closed(
        "AuthorizationPolicy mtls-service/require-jwt does not allow it: requestPrincipals "
        "[testing@secure.istio.io/testing@secure.istio.io]: the token has no sub, and so gives no request principal",
        TOKENS,
        _REQUIRE,
        request=_NO_SUBJECT,
    ),
    "refused_as_not_allowed": closed(
        "no rule of AuthorizationPolicy mtls-service/office matched it at mtls-service/httpbin (the proxy's log)",
        authorization("office", "ALLOW", source(ipBlocks=["10.0.0.0/24"])),
        log=denied("rbac_access_denied_matched_policy[none]"),
    ),
    "denied_by": closed(
        "AuthorizationPolicy mtls-service/keep-out refuses it: rule 0 matches",
        _BY_NAMESPACE,
    ),
    "strict_without_identity": PolicySample(
        "mutual TLS at mtls-service/httpbin is STRICT by PeerAuthentication mtls-service/default, and "
        "legacy-client/sleep has no sidecar",
        (STRICT,),
        effect=Effect.CLOSED,
        caller=LEGACY,
        expected=200,
        observed=None,
    ),
    "deny_misses": PolicySample(
        "AuthorizationPolicy mtls-service/keep-out does not refuse it: namespaces [mtls-client, legacy-client]: the "
        "caller shows no identity (legacy-client/sleep has no sidecar)",
        (_BY_NAMESPACE,),
        caller=LEGACY,
    ),
    "allowed_by": PolicySample(
        "AuthorizationPolicy mtls-service/any-token allows it: rule 0 matches",
        (TOKENS, authorization("any-token", "ALLOW", source(requestPrincipals=["*"]))),
        request=token(),
    ),
    "no_policy": PolicySample(
        "no AuthorizationPolicy selects mtls-service/httpbin; AuthorizationPolicy mtls-client/require-jwt of this "
        "stage is not for it",
        (policy("AuthorizationPolicy", "require-jwt", {}, "mtls-client"),),
        stage=(policy("AuthorizationPolicy", "require-jwt", {}, "mtls-client"),),
    ),
    "not_let_out": PolicySample(
        "what leaves mtls-client/sleep is limited by NetworkPolicy mtls-client/only-dns, and none of them may let this "
        "out",
        (network("only-dns", {"podSelector": {}, "policyTypes": ["Egress"], "egress": _DNS}),),
        effect=Effect.DROPPED,
        expected=200,
        observed=None,
        app="sleep",
        outbound=True,
    ),
    "not_let_in": PolicySample(
        "what reaches mtls-service/httpbin is limited by NetworkPolicy mtls-service/nothing, and none of them may let "
        "this in",
        (network("nothing", {"podSelector": {}, "policyTypes": ["Ingress"]}, "mtls-service"),),
        effect=Effect.DROPPED,
        expected=200,
        observed=None,
    ),
    "not_isolated": PolicySample(
        "no NetworkPolicy limits what leaves mtls-client/sleep",
        effect=Effect.UNBLOCKED,
        expected=None,
        app="sleep",
        stage=(network("only-dns", {"podSelector": {}, "policyTypes": ["Egress"], "egress": _DNS}, "team-x"),),
        outbound=True,
    ),
}
"""By the detector's name."""
