"""All detectors, in the order in which their reasons are given. A new one is one function, and one line here.

A detector of objects (`OBJECTS`) looks at policies and workloads alone, for a failed case as well as for `plan` and
`doctor --policies`. A detector of requests (`REQUESTS`) looks at one request whose outcome is not the expected one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from clients.mesh.why import decisions, logged, network, outbound, peers, rules, selection, strangers, tokens
from clients.mesh.why.objects import AUTHORIZATION, PEER, REQUEST, WorkloadView
from clients.mesh.why.reason import Effect, Reason
from clients.mesh.why.request import CaseView
from clients.mesh.why.view import PolicyView

ObjectDetector = Callable[[PolicyView], list[Reason]]
RequestDetector = Callable[[CaseView], list[Reason]]

LOGGED: tuple[RequestDetector, ...] = (logged.refused_by_rule, logged.refused_token)
"""What a proxy's log says."""
OUTBOUND: tuple[RequestDetector, ...] = (logged.refused_by_client,)
"""What the log of the caller's own proxy says."""
IDLE: tuple[ObjectDetector, ...] = (
    selection.odd_form,
    selection.other_revision,
    selection.selects_nothing,
    selection.other_namespace,
    peers.excluded_port,
    peers.port_of_the_service,
    peers.older_peer,
    peers.overridden,
    peers.root_with_selector,
    rules.refuses_nothing,
)
"""Policies that are not in force where their author thinks."""
DECIDING: tuple[RequestDetector, ...] = (
    decisions.no_sidecar,
    decisions.nothing_allows,
    logged.refused_as_not_allowed,
    decisions.denied_by,
    decisions.strict_without_identity,
    decisions.deny_misses,
    decisions.allowed_by,
)
"""Policies that are in force, and what they made of the request."""
SHAPES: tuple[ObjectDetector, ...] = (
    rules.http_field_on_tcp,
    rules.remote_address_believed,
    rules.account_pattern,
    rules.method_spelling,
    rules.path_shape,
    strangers.stranger_not_denied,
    tokens.request_principal_form,
    tokens.claim_with_dots,
    tokens.untrusted_issuer,
    tokens.token_not_required,
)
"""Policies that say something else than they seem to."""
ON_THE_WAY: tuple[ObjectDetector, ...] = (
    network.selects_no_pod,
    network.rules_without_type,
    network.shuts_ingress_too,
    network.either_selector,
    network.network_port_of_the_service,
    network.no_name_server,
    network.no_control_plane,
    outbound.server_not_verified,
    outbound.plain_text_to_strict,
    outbound.mutual_tls_to_no_proxy,
    outbound.short_host,
    outbound.entry_for_every_address,
    outbound.dialled_address,
)
"""What lies between caller and server: the network, and the configuration of the caller's proxy."""
LAST: tuple[RequestDetector, ...] = (decisions.no_policy,)
"""Where nothing else is known."""
NETWORK: tuple[RequestDetector, ...] = (network.not_let_out, network.not_let_in, network.not_isolated)
"""Where nothing else is known of a request that the network dropped, or let through."""
UNREADY: tuple[ObjectDetector, ...] = (network.no_name_server, network.no_control_plane)
"""What keeps a proxy from getting ready: it has to find its control plane, and to come to it."""
OBJECTS = (*IDLE, *SHAPES, *ON_THE_WAY)
REQUESTS = (*LOGGED, *OUTBOUND, *DECIDING, *LAST, *NETWORK)
MOST = 3
"""Reasons that are given for one case."""


def of_case(cases: Iterable[CaseView]) -> list[Reason]:
    """Why the outcome of a request is not the expected one, the most certain reason first; empty where it is not known.

    Args:
        cases: the request at each workload whose policies decide about it, and at the caller's own (`outbound`).
    """
    listed = list(cases)
    at_server, at_caller = ([one for one in listed if one.outbound is outbound] for outbound in (False, True))
    found = [*_of_requests(LOGGED, at_server), *_of_requests(OUTBOUND, at_caller)]
    found += [*_of_objects(IDLE, at_server), *_of_requests(DECIDING, at_server), *_of_objects(ON_THE_WAY, listed)]
    known = {reason.policy for reason in found} - {None}
    found += [one for one in _of_objects(SHAPES, at_server) if not found or one.policy in known]
    return _distinct(found or [*_of_requests(LAST, at_server), *_of_requests(NETWORK, listed)])[:MOST]


def _of_requests(detectors: Iterable[RequestDetector], cases: Sequence[CaseView]) -> list[Reason]:
    found = ((case, reason) for detector in detectors for case in cases for reason in detector(case))
    return [reason for case, reason in found if case.effect in reason.effects]


def _of_objects(detectors: Iterable[ObjectDetector], cases: Sequence[CaseView]) -> list[Reason]:
    found = ((case, reason) for detector in detectors for case in cases for reason in detector(case.view))
    return [reason for case, reason in found if _concerns(case, reason)]


def of_objects(view: PolicyView) -> dict[str, list[Reason]]:
    """What is odd about the objects, by the detector's name."""
    found = {detector.__name__: detector(view) for detector in OBJECTS}
    return {name: reasons for name, reasons in found.items() if reasons}


def of_unready(view: PolicyView, workloads: Iterable[WorkloadView]) -> list[Reason]:
    """Which objects keep proxies from getting ready; empty where none is known to.

    Args:
        workloads: whose proxies run and are not ready.
    """
    unready = set(workloads)
    found = (reason for detector in UNREADY for reason in detector(view))
    return _distinct(reason for reason in found if reason.workloads & unready)[:MOST]


def summary(detector: ObjectDetector | RequestDetector) -> str:
    """What a detector finds, in one line."""
    return " ".join(str(detector.__doc__).split("\n\n", 1)[0].split())


def _concerns(case: CaseView, reason: Reason) -> bool:
    """Whether a reason of the objects is one for this request: the workload, its port, and the effect."""
    policy, own = reason.policy, False
    if case.effect not in reason.effects or (reason.ports and case.request.port not in (None, *reason.ports)):
        return False
    if policy is not None:
        status = case.expected if case.effect is Effect.OPEN else case.observed
        own = (policy.kind, policy.namespace, policy.name) in case.stage
        if policy.kind not in _ANSWERING.get(status, _WITHOUT_ANSWER) or (
            status is None and case.http and policy.kind == AUTHORIZATION
        ):
            return False
    if reason.workloads:
        return case.workload in reason.workloads
    if reason.about is not None:
        return reason.about in case.stage
    return own and policy is not None and policy.namespace in (case.workload.namespace, case.view.root)


_ANSWERING: Mapping[int | None, tuple[str, ...]] = {401: (REQUEST,), 403: (AUTHORIZATION, REQUEST)}
"""Kinds of policies that refuse with a status."""
_WITHOUT_ANSWER = (PEER, AUTHORIZATION)
"""Kinds of policies that refuse without a response."""


def _distinct(found: Iterable[Reason]) -> list[Reason]:
    """The first reason of each policy, and those of no policy."""
    kept: list[Reason] = []
    for reason in found:
        about = [one for one in kept if reason.policy is not None and one.policy == reason.policy]
        if not about and reason.text not in {one.text for one in kept}:
            kept.append(reason)
    return kept
