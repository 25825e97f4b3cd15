"""The mechanism that must have refused a request: derived from its pinned outcome, and recognised in a log entry.

Sources: Envoy's response flags and response code details (envoyproxy.io, "Access logging", "Response code details").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from clients.apply.open_mesh import NAME as OPEN_MESH
from clients.mesh.access_logs import accesslog
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.policies import EnforcedPolicy
from clients.mesh.why.objects import MARKERS
from clients.model.addresses import host_of
from clients.model.case import Case
from clients.model.decision import Decision, Mechanism, Proxy
from clients.model.expect import RBAC_DENIED, Expectation
from clients.model.outcome import TIMEOUTS, Outcome, OutcomeKind
from clients.proof.logs.route import Route

NO_POLICY = "none"
"""What Envoy calls the policy where none of those that allow matches."""
_MATCHED = re.compile(r"rbac_access_denied_matched_policy\[(?:ns\[(.+?)\]-policy\[(.+?)\]-rule\[\d+\]|(.*?))\]")
_TOKEN = re.compile(r"jwt_authn_access_denied\{(.*)\}")
_TOKEN_TEXTS = ("Jwt", "Jwks", "Audiences in Jwt")
"""How the reasons begin that Envoy's JWT filter answers with."""
_NOT_ASKED = "ext_authz_error"
"""Reason where the authorization server did not answer."""
NETWORK_KINDS = TIMEOUTS | {OutcomeKind.REFUSED, OutcomeKind.DNS}
"""Outcomes that a network makes: no sidecar that a request passes does."""
_ENDED_IN_ORDER = frozenset({OutcomeKind.CLOSED, OutcomeKind.EMPTY_REPLY})
"""How a connection ends that Envoy's RBAC filter for TCP refuses."""
_PERMISSION_DENIED, _UNAUTHENTICATED = 7, 16
_NO_UPSTREAM_FLAGS = frozenset({"UH", "UF", "URX", "NC", "UC"})


def states_decision(case: Case) -> bool:
    """Whether the case itself states what a proxy logs of the refusal, so that nothing need be derived."""
    return any(one.absent or one.details or one.flags or one.route for one in case.logged)


def derived(
    expect: Expectation, outcome: Outcome, method: str, route: Route, policies: Collection[EnforcedPolicy]
) -> Decision:
    """What must have refused a request with the pinned outcome.

    Args:
        outcome: the last answer.
        policies: those that are in force on the way.

    Raises:
        LookupError: it does not follow from these; the message says why.
    """
    if expect.status is None:
        return _without_answer(expect, outcome, route)
    text = _text(outcome)
    if RBAC_DENIED in text:
        return Decision(Mechanism.AUTHORIZATION)
    if text.startswith(_TOKEN_TEXTS):
        return Decision(Mechanism.TOKEN, reason=accesslog.as_details(text))
    return _by_status(expect, method, text, route, policies)


def _by_status(
    expect: Expectation, method: str, text: str, route: Route, policies: Collection[EnforcedPolicy]
) -> Decision:
    """By the status alone, where the answer's text is not Envoy's own."""
    bare = method == "HEAD" and not text
    if expect.status == 403 and any(policy.action == "CUSTOM" for policy in policies):
        # an answer to HEAD never has a text, which would distinguish the two
        return Decision(Mechanism.CUSTOM, reason="ext_authz_" if bare else "ext_authz_denied" if text else _NOT_ASKED)
    if expect.status == 403 and bare:
        return Decision(Mechanism.AUTHORIZATION)
    if expect.status == 401 and bare:
        return Decision(Mechanism.TOKEN)
    if expect.status == 502 and not route.outside and route.proxies(Proxy.CLIENT):
        return Decision(Mechanism.NOT_REGISTERED, Proxy.CLIENT)
    if expect.status == 404 and route.outside:
        return Decision(Mechanism.NOT_ROUTED, Proxy.CLIENT)
    if expect.status == 400:
        return Decision(Mechanism.NOT_HTTP)
    if expect.status == 503 and route.proxies(Proxy.CLIENT):
        return Decision(Mechanism.NO_UPSTREAM, Proxy.CLIENT)
    raise LookupError(f"a refusal by {expect.status} is not known to be the mesh's own")


def _without_answer(expect: Expectation, outcome: Outcome, route: Route) -> Decision:
    if expect.kinds <= NETWORK_KINDS or _by_own_pod(expect, outcome, route):
        return Decision(Mechanism.NETWORK)
    if expect.kinds <= _ENDED_IN_ORDER:
        return Decision(Mechanism.AUTHORIZATION)
    if route.external and route.proxies(Proxy.CLIENT) and not route.outside:
        return Decision(Mechanism.NOT_REGISTERED, Proxy.CLIENT)
    if route.external:
        return Decision(Mechanism.MUTUAL_TLS, Proxy.GATEWAY)
    return Decision(Mechanism.MUTUAL_TLS, Proxy.SERVER)


def _by_own_pod(expect: Expectation, outcome: Outcome, route: Route) -> bool:
    """Whether connections end in the client's pod; on other targets the same case's way out is open, to the server."""
    refused = outcome.kind is OutcomeKind.REFUSED and OutcomeKind.REFUSED in expect.kinds
    return refused and bool(route.client) and all(pod.cut_off for pod in route.client)


def _text(outcome: Outcome) -> str:
    """Reason that the answer gives: its body, or the message of a gRPC call."""
    if outcome.grpc_status in (_PERMISSION_DENIED, _UNAUTHENTICATED):
        return " ".join(outcome.headers.get("grpc-message", ()))
    return outcome.body


def expected_policies(decision: Decision, policies: Collection[EnforcedPolicy]) -> frozenset[str]:
    """Names of policies, or `none`, by which one proxy with these in force may refuse.

    A proxy that the run has opened refuses nothing but by a denial: another's refusal is none of it. A marker's policy
    refuses nothing but the marker: no request of a case has its word.
    """
    if decision.policy:
        return frozenset({decision.policy})
    own = {policy.name for policy in policies if policy.name.rpartition("/")[2].startswith(MARKERS)}
    denying = {policy.name for policy in policies if policy.action == "DENY"} - own
    allowing = [policy.name.rpartition("/")[2] for policy in policies if policy.action == "ALLOW"]
    opened = any(name.startswith(OPEN_MESH) for name in allowing)  # it allows every request to this workload
    return frozenset(denying | ({NO_POLICY} if allowing and not opened else set()))


def decided(decision: Decision, names: Collection[str] | None, servers: Collection[str], entry: AccessLogEntry) -> bool:
    """Whether an entry shows that its proxy refused the request by this mechanism, and sent it nowhere.

    Args:
        names: policies that may have done it there (`expected_policies`), by the names in the log; None for any.
        servers: addresses of the backend's pods, canonical.
    """
    if decision.reason and decision.reason not in entry.details:
        return False
    sent_to = host_of(entry.upstream_host) if accesslog.forwarded(entry) else ""
    match decision.mechanism:
        case Mechanism.AUTHORIZATION:
            # a TCP proxy connects to its upstream before it authorizes the connection, and sends nothing on
            policy = matched_policy(entry)
            return (not sent_to or not entry.protocol) and policy is not None and (names is None or policy in names)
        case Mechanism.NOT_ROUTED:
            return _has(entry, "NR") or (bool(sent_to) and sent_to not in servers)
        case Mechanism.NO_UPSTREAM:
            return _has(entry, *_NO_UPSTREAM_FLAGS)
        case _:
            return not sent_to and decision.mechanism in _REFUSES and _REFUSES[decision.mechanism](entry)


def _has(entry: AccessLogEntry, *flags: str) -> bool:
    return not set(entry.flags.split(",")).isdisjoint(flags)


def _not_registered(entry: AccessLogEntry) -> bool:
    own_answer = entry.route == "block_all" and "direct_response" in entry.details
    return own_answer or entry.upstream_cluster == "BlackHoleCluster"


_REFUSES: dict[Mechanism, Callable[[AccessLogEntry], bool]] = {
    Mechanism.TOKEN: lambda entry: _TOKEN.search(entry.details) is not None,
    Mechanism.CUSTOM: lambda entry: _has(entry, "UAEX"),
    Mechanism.MUTUAL_TLS: lambda entry: _has(entry, "NR") and "filter_chain_not_found" in entry.details,
    Mechanism.NOT_REGISTERED: _not_registered,
    Mechanism.NOT_HTTP: lambda entry: _has(entry, "DPE"),
}
"""Whether an entry is that of a refusal, for mechanisms that need nothing else to be known."""


def matched_policy(entry: AccessLogEntry) -> str | None:
    """The policy that refused, `namespace/name` as the log has it, or `none`; None where no policy did."""
    found = _MATCHED.search(f"{entry.details} {entry.failure}")
    if found is None:
        return None
    return f"{found[1]}/{found[2]}" if found[1] else found[3]


def seen(entry: AccessLogEntry) -> str:
    """What an entry shows, in short."""
    sent_on = f", sent to {entry.upstream_host}" if accesslog.forwarded(entry) else ""
    return f"{entry.status} {entry.flags or '-'} {entry.details or entry.failure or '-'}{sent_on}"
