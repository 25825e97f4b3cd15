"""The second twin of a denial: the same client by the same kind of path, to something that it may reach.

A twin from another client shows that the server and the path to it are open. It does not show that the refused client
reaches anything at all: its own network may be cut, or its sidecar may refuse everything. One twin is enough where it
is the same client's, and where the log of another proxy has the refused requests: they came that far.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.evidence import Finding, FindingVerdict, Verdict
from clients.model.outcome import OutcomeKind
from clients.model.probe import Probe
from clients.probe.outside import OutsideClient
from clients.proof.logs.mechanism import NETWORK_KINDS
from clients.proof.proving import ProvingCase, inconclusive, not_checked, of_case
from clients.proof.rig.sent import sent
from clients.proof.stage.client_reach import passes_sidecar

SOURCE_TWIN = "twin of the same client"
_TOOK_CONNECTION = frozenset(
    {OutcomeKind.RESET, OutcomeKind.EMPTY_REPLY, OutcomeKind.SEND_ERROR, OutcomeKind.TLS_ERROR, OutcomeKind.CLOSED}
)
"""Kinds of a connection that was established."""
_NO_CONNECTION = frozenset({OutcomeKind.CONNECT_TIMEOUT, OutcomeKind.REFUSED})
"""Kinds of a connection to an address that was known."""


@of_case
def source_reaches(proving: ProvingCase) -> list[Finding]:
    """The refused client reaches something that it may; where it does not, nothing says that it was refused."""
    case = proving.case
    if not (case.refuses and proving.twin_passed) or isinstance(case.probe.source, OutsideClient):
        return []
    by_sidecar = _by_sidecar(case)
    if (case.twin and _same_way(case.twin, case.probe, by_sidecar)) or _came_further(proving):
        return []
    proof = proving.running.client_reach.of(case, by_sidecar=by_sidecar)
    if proof is None:
        return _otherwise(proving)
    proving.source_twin = proof
    text = f"{proof.sent}: expected {proof.expected}, saw {proof.observed}"
    text = f"{proof.control}: {text}" if proof.control else text
    if proof.verdict is Verdict.PASS:
        return [Finding(SOURCE_TWIN, text, FindingVerdict.PASS)]
    return [inconclusive(SOURCE_TWIN, f"{text}: the client reaches nothing, so nothing says that the mesh refused it")]


def _by_sidecar(case: Case) -> bool:
    """Whether the request passes the client's sidecar, if there is one, and that may be what refused it."""
    by_network = case.expect.status is None and case.expect.kinds <= NETWORK_KINDS
    return not by_network and passes_sidecar(case.probe)


def _came_further(proving: ProvingCase) -> bool:
    """Whether a proxy other than the client's own is known to have the refused requests, or has to log them."""
    elsewhere = any(logged.proxy is not Proxy.CLIENT and not logged.absent for logged in proving.case.logged)
    return elsewhere or proving.refused_elsewhere


def _otherwise(proving: ProvingCase) -> list[Finding]:
    """What else shows that the client's network works, where the stage lets it reach nothing."""
    if text := _other_sign(proving):
        return [Finding(SOURCE_TWIN, f"not needed: {text}", FindingVerdict.PASS)]
    return [not_checked(SOURCE_TWIN, "the stage states no request that this client may send; see `reachable`")]


def _other_sign(proving: ProvingCase) -> str:
    case, running = proving.case, proving.running
    kind = proving.seen.last.kind if proving.seen.last else None
    baseline = running.baselines.get(case.id)
    if baseline and not baseline.problem and not baseline.expect.refuses:
        return "the same request was answered before the change"
    for seen in running.settled:
        if not seen.expect.refuses and not seen.problem and _same_way(seen.probe, case.probe, _by_sidecar(case)):
            return f"{sent(seen.probe)} was answered while the stage settled"
    if kind in _TOOK_CONNECTION and not any(pod.injected for pod in proving.rig.workloads.pods(case.probe.source)):
        return "the other end took the client's connection"
    if kind in _NO_CONNECTION and not case.probe.resolve and not case.probe.dial and not _is_address(case.probe):
        return "a name server answered the client"
    return ""


def _is_address(probe: Probe) -> bool:
    """Whether no name server is asked: the host of the URL is an address, of IPv4 or IPv6."""
    try:
        ip_address(urlsplit(probe.url).hostname or "")
    except ValueError:
        return False
    return True


def _same_way(one: Probe, refused: Probe, by_sidecar: bool) -> bool:
    """Whether a request comes from the same pod as the refused one, by its sidecar where that matters."""
    same_pod = (one.source.namespace, one.source.app) == (refused.source.namespace, refused.source.app)
    return same_pod and (passes_sidecar(one) or not by_sidecar)
