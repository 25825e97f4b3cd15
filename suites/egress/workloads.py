"""Names of the egress tutorial: its workloads, its external hosts, and the stages that build on one another."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import Expectation, no_reply
from clients.model.log_expectations import AccessLogExpectation
from clients.model.outcome import OutcomeKind
from clients.model.probe import Workload

ENVIRONMENT = ("egress/environment",)

TEST_X = Workload("team-x", "test", "test")
TEST_Y = Workload("team-y", "test", "test")
"""With a sidecar."""
RAW_X = Workload("team-x", "raw", "curl")
RAW_Y = Workload("team-y", "raw", "curl")
"""Without one."""
PROXY_USER_X = Workload("team-x", "test", "istio-proxy")
"""The sidecar's own container, with user id 1337, whose traffic is not redirected. Needs `SHELL`."""
EXCLUDED_X = Workload("team-x", "excluded", "curl")
"""With a sidecar, and an annotation that excludes its traffic from redirection."""
GATEWAY_NODE = Workload("istio-egress", "gateway-node", "curl")
"""Without a sidecar, at an address from which the network allows outgoing traffic."""

TEST_XY = Workload("team-x-team-y", "test", "test")
TEST_YX = Workload("team-y-team-x", "test", "test")
"""With a sidecar, in namespaces whose names begin like one team's and end like the other's."""

EXAMPLE, EXAMPLE_TLS = "http://example.com", "https://example.com"
EXAMPLE_ELSEWHERE = "http://example.com:8080"
"""At a port that no object of the document names; the testbed's hosts listen there too."""
EXAMPLE_AT_DNS = "http://example.com:53"
"""At the port of DNS, which policies open for it alone: one that names no peers opens it to everywhere."""
EXAMPLE_AT_METADATA = "http://example.com:988"
"""At the port of GKE's metadata server, of which the same is true."""
EXAMPLE_AT_ISTIOD = "http://example.com:15012"
"""At the port where the control plane configures proxies, of which the same is true."""
HTTPBIN, HTTPBIN_TLS = "http://httpbin.org", "https://httpbin.org"
TEAPOT = f"{HTTPBIN}/status/418"
STORAGE, STORAGE_TLS = "http://storage.googleapis.com", "https://storage.googleapis.com"
METADATA = "http://metadata.google.internal"
OWN_TEAM = "http://echo.team-x/ip"
NEXT_TO_GATEWAY = "http://plain.istio-egress/ip"
"""In the namespace that the policies open for the gateway's pods, and for no others."""

NAME_SERVER_READY = "http://kube-dns.kube-system:8181/ready"
"""What kubelets ask the testbed's name server for, at its pod; policies open port 53 of it, and no other."""

HOSTS = frozenset({"external-hosts"})
"""What a stage needs that settles on a request to an external host; without one its other controls prove nothing."""
SHUT_ADDRESS = "example.com"
"""Address of example.com that the network shuts to all pods but gateways; for `Probe.resolve`."""
ELSEWHERE = frozenset({"external-hosts", "external-ports"})
"""What targets with the testbed's hosts have: others need not listen there."""
OTHER_PORTS = (
    (443, EXAMPLE_TLS, HOSTS),
    (8080, EXAMPLE_ELSEWHERE, ELSEWHERE),
    (53, EXAMPLE_AT_DNS, ELSEWHERE),
    (988, EXAMPLE_AT_METADATA, ELSEWHERE),
    (15012, EXAMPLE_AT_ISTIOD, ELSEWHERE),
)
"""Ports of external hosts but that of plain HTTP, each with a URL and what it needs."""
EXAMPLE_DATAGRAM = "example.com:443"
"""Where example.com answers by UDP, as servers of HTTP/3 do."""
DATAGRAM_AT_DNS = "example.com:53"
OPEN_ADDRESS = "open.example.com"
"""Another address of example.com, which the network leaves open: only mesh and network policies can refuse."""
OPEN = frozenset({"external-open"})
"""Capability of targets with that address: behind a firewall, no other refusal could be observed."""
STAND_INS = frozenset({"stand-ins"})
"""Capability of targets with servers in the place of Google's."""
CLUSTER_DNS = frozenset({"dns-not-proxied"})
"""Capability of targets whose sidecars resolve no names: else registered hosts have addresses of the mesh's own."""
SHELL = frozenset({"proxy-shell"})
"""Capability of targets in whose sidecars a shell and curl can be run."""
GATEWAY = "<gateway>"
"""Service of the gateway; for `Probe.resolve`."""

STRICT = ("egress/strict/namespaces.yaml",)
S1 = STRICT
S2 = (*S1, "egress/scopes/team-x.yaml")
S3 = (*S2, "egress/gateway/mutual-tls.yaml", "egress/hosts/example-com.yaml", "egress/routes/example-com.yaml")
S4 = (*S3, "egress/scopes/team-y.yaml", "egress/hosts/httpbin-org.yaml", "egress/routes/httpbin-org.yaml")
S5 = (*S4, "egress/authorization/team-x-to-example-com.yaml")
S6 = (*S5, "egress/authorization/team-y-to-httpbin-teapot.yaml")

ORIGINATE = "egress/origination/example-com.yaml"
_ORIGINATION = {"egress/routes/example-com.yaml": "egress/routes/example-com-originate-tls.yaml"}
S7 = (*(_ORIGINATION.get(path, path) for path in S6), ORIGINATE)
ALL_443 = "egress/authorization/all-443.yaml"
_PASS_THROUGH = {
    "egress/gateway/mutual-tls.yaml": "egress/gateway/mutual-tls-and-pass-through.yaml",
    "egress/routes/example-com-originate-tls.yaml": "egress/routes/example-com-pass-through.yaml",
    "egress/routes/httpbin-org.yaml": "egress/routes/httpbin-org-pass-through.yaml",
}
S8_WITHOUT_443 = tuple(_PASS_THROUGH.get(path, path) for path in S7)
S8 = (*S8_WITHOUT_443, ALL_443)
TO_CONTROL_PLANE = "egress/network-policies/control-plane.yaml"
TO_DNS = "egress/network-policies/dns.yaml"
NETWORK_POLICIES = (
    TO_CONTROL_PLANE,
    TO_DNS,
    "egress/network-policies/google-apis.yaml",
    "egress/network-policies/metadata-server.yaml",
)
OPTIONAL_POLICIES = ("egress/network-policies/same-namespace.yaml", "egress/network-policies/team-y.yaml")
S9 = (*S8, *NETWORK_POLICIES)
S10 = (
    *S9,
    "egress/google-apis/metadata-google-internal.yaml",
    "egress/google-apis/private-googleapis-com.yaml",
)

# Patterns for access logs.
_GATEWAY = r"[a-z0-9-]+\.istio-egress\.svc\.cluster\.local"
BY_MUTUAL_TLS = rf"outbound\|80\|target-egress-gateway-mTLS\|{_GATEWAY}"
"""Cluster of the first hop, by mutual TLS."""
BY_PASS_THROUGH = rf"outbound\|443\|target-egress-gateway-TLS-passthrough\|{_GATEWAY}"
HOP_SNI = rf"(?i:outbound_\.80_\.target-egress-gateway-mTLS_)\.{_GATEWAY}"
"""Server name of the first hop, by which the gateway's log shows mutual TLS by that subset. Envoy lowers its case."""
ORIGINATED = r"outbound\|443\|example-com-originate-TLS\|example\.com"

NO_ROUTE = AccessLogExpectation(Proxy.CLIENT, status=502, route="block_all", details="direct_response", cluster="-")
"""The sidecar's own answer for a host that is not registered."""
BLACK_HOLE = AccessLogExpectation(Proxy.CLIENT, cluster="BlackHoleCluster", flags=frozenset({"UH"}), tcp=True)
"""The sidecar ends a connection to a server name or a port that is not registered."""
BY_NO_RULE = "rbac_access_denied_matched_policy[none]"


def refused_by_gateway(host: str) -> AccessLogExpectation:
    """The gateway itself answered 403, and contacted no upstream."""
    pattern = host.replace(".", r"\.")
    return AccessLogExpectation(Proxy.GATEWAY, status=403, authority=pattern, details=BY_NO_RULE, upstream="-")


LOOK_ALIKES = ("egress/routes/look-alikes.yaml", "egress/gateway/second-port.yaml")
"""Lead to the gateway what is almost allowed, so that only the policies there can refuse it."""


def almost(host: str) -> dict[str, str]:
    """Names that are almost that of a host, by what they have in common with it."""
    return {
        "name that begins so": f"{host}.example.net",
        "name that ends so": f"not{host}",
        "subdomain": f"www.{host}",
    }


SHUT_AFTER_S = 0.75
"""Time limit for a connection that the network must shut; an open one is established within milliseconds."""


UNANSWERED_AFTER_S = 2.0
"""Time limit for a datagram that the network must drop; curl repeats it after a second, as one may be lost."""


def unanswered() -> Expectation:
    """A datagram that the network does not let through: whatever refuses it, curl sees that no answer comes."""
    return no_reply(OutcomeKind.ANSWER_TIMEOUT)


def cut() -> Expectation:
    """TLS that fails: the connection ends in the handshake (35), or just after it (56)."""
    return no_reply(OutcomeKind.TLS_ERROR, OutcomeKind.RESET)


def dropped() -> Expectation:
    """A connection that a proxy accepts and ends: before the request has come (56), or after it (52)."""
    return no_reply(OutcomeKind.EMPTY_REPLY, OutcomeKind.RESET)


def shut() -> Expectation:
    """A connection that the network does not let through: dropped (28) or rejected (7)."""
    return no_reply(OutcomeKind.CONNECT_TIMEOUT, OutcomeKind.REFUSED)


def at_no_known_port(control: str) -> Case:
    """A sidecar ends what goes to an external host at a port that no object names."""
    twin = GATEWAY_NODE.get(EXAMPLE_ELSEWHERE)
    probe = TEST_X.get(EXAMPLE_ELSEWHERE)
    return Case(control, probe, dropped(), twin=twin, logged=(BLACK_HOLE,), needs=ELSEWHERE)
