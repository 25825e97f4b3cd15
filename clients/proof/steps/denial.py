"""Proof steps of a denial: the mesh refused the request, and no path or server was missing.

Its own: the exec is known to have run, the allowed twin passes through the same path in the same state, the request is
refused after it too, and its ids are absent at the backend. `clients.proof.steps.proof_steps` has all that is needed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from clients.kube.pods import Pod
from clients.mesh.access_logs import logs
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.counted import counted
from clients.model.errors import MeshproofError
from clients.model.evidence import TWIN, Finding, FindingVerdict, TwinProof, Verdict
from clients.model.expect import status
from clients.model.probe import REQUEST_ID, Probe
from clients.probe import ordinary
from clients.probe.attempts import attempt_of
from clients.probe.converge import converge
from clients.probe.outside import OutsideClient
from clients.proof.logs import copies
from clients.proof.logs.log_entries import LOG_BUDGET_S
from clients.proof.proving import AFTER_TWIN, ProvingCase, inconclusive, not_checked, of_case
from clients.proof.rig.ready_pods import key_of
from clients.proof.rig.rig import Rig
from clients.proof.rig.sent import sent
from clients.proof.stage.observation import BASELINE_CONFIRMATIONS
from clients.proof.steps import own_pod
from clients.proof.steps.trace import EXTERNAL_LOG
from clients.proof.unserved import is_late, unserved

BACKEND_LOG = "backend log"
TURNS = 3
"""Requests of the twin for each of several replicas, one of which may get none of fewer."""
_AFTER = 2
"""Refused probes sent again after the twin, so that the twin's answer lies between two refusals."""


@of_case
def exec_ran(proving: ProvingCase) -> list[Finding]:
    """The outcome carries curl's own exit code, so curl ran in the client; without one it would be infrastructure."""
    case, seen = proving.case, proving.seen
    if case.twin is None and not case.refuses:
        return []
    matched = sum(attempt.matched for attempt in seen.attempts)
    code = seen.last.exit_code if seen.last else None
    if isinstance(case.probe.source, OutsideClient):
        text = f"{counted(matched, 'request')} from outside the cluster, last exit code {code}"
        return [Finding("outside client", text, FindingVerdict.PASS)]
    where = f"{case.probe.source.namespace}/{case.probe.source.app}"
    return [
        Finding("exec", f"curl ran {counted(matched, 'time')} in {where}, last exit code {code}", FindingVerdict.PASS)
    ]


@of_case
def twin_passes(proving: ProvingCase) -> list[Finding]:
    """The allowed counterpart gets through in the same state; a refusal without one proves nothing."""
    case = proving.case
    if case.twin is None:
        return _from_own_pod(proving) if case.refuses else []
    proving.twin, attempts = _twin(proving, case.twin)
    proving.attempts += attempts
    twin = proving.twin
    text = f"{twin.control or 'twin'} expected {twin.expected}, saw {twin.observed}"
    if differs := ordinary.difference(attempts):
        text = f"{text}; {differs}"
    return [Finding(TWIN, text, FindingVerdict.of(twin.verdict))]


def _from_own_pod(proving: ProvingCase) -> list[Finding]:
    """The twin of a state that lets no request in (see `clients.proof.steps.own_pod`)."""
    if not own_pod.was_open(proving.running, proving.case):
        why = "the suite names no twin for this refusal, and no `before` in which the request was let in"
        return [inconclusive(TWIN, why)]
    try:
        backends = proving.rig.workloads.backends(proving.case.probe)
        proving.own_probe = own_pod.probe_of(proving.rig, proving.case, backends)
        proving.twin = own_pod.twin(proving.rig, proving.case, proving.own_probe)
    except MeshproofError as error:
        return [inconclusive(TWIN, error.message)]
    text = f"let in before the change; now expected {proving.twin.expected}, saw {proving.twin.observed}"
    return [Finding(TWIN, text, FindingVerdict.of(proving.twin.verdict))]


@of_case
def still_refused(proving: ProvingCase) -> list[Finding]:
    """The case's own request, sent again after the twin, is still refused; no finding where it is at once."""
    case = proving.case
    if not _is_refusal(proving):
        return []
    outcomes = proving.rig.prober.many(case.probe, case.control, parallel=case.expect.may_time_out)(_AFTER)
    at_s = time.monotonic() - proving.since
    after = [attempt_of(outcome, case.expect, at_s) for outcome in outcomes]
    proving.attempts += after
    missed = [pair for pair in zip(after, outcomes, strict=True) if not pair[0].matched]
    if not missed:
        return []
    wrong, outcome = missed[0]
    if is_late(wrong, outcome, case.expect) and (text := _refused_again(proving, wrong)):
        return [Finding(AFTER_TWIN, text, FindingVerdict.PASS)]
    verdict = FindingVerdict.FAIL if wrong.ran else FindingVerdict.INCONCLUSIVE
    return [Finding(AFTER_TWIN, wrong.problem, verdict)]


def _refused_again(proving: ProvingCase, wrong: Attempt) -> str:
    """How the request was refused by a whole row of probes, after one without an answer; empty where it was not."""
    case, rig = proving.case, proving.rig
    send = rig.prober.many(case.probe, case.control, parallel=case.expect.may_time_out)
    needed = max(_AFTER, proving.seen.confirmations)
    seen = converge(send, case.expect, rig.certainty.policy, needed=needed, since=proving.since, unchanged=True)
    proving.attempts += seen.attempts
    if not seen.converged or any(one.ran and not one.matched and not unserved(one) for one in seen.attempts):
        return ""
    return f"{wrong.problem}; then refused {counted(seen.confirmations, 'time')} in a row"


@of_case
def backend_silent(proving: ProvingCase) -> list[Finding]:
    """No refused request reached the backend, whose log is known to be complete up to a later one of the twin."""
    if not _is_refusal(proving):
        return []
    if proving.case.probe.protocol == "TCP" and REQUEST_ID not in proving.case.probe.body:
        return [not_checked(BACKEND_LOG, "the raw bytes of this probe have no request id to look for")]
    try:
        return [] if _leads_outside(proving) else [_absent(proving, proving.case, _denied(proving))]
    except MeshproofError as error:
        return [inconclusive(BACKEND_LOG, error.message)]


@of_case
def external_server_silent(proving: ProvingCase) -> list[Finding]:
    """No refused request reached the external server, which writes its log before it answers."""
    external = proving.rig.external
    if external is None or not _is_refusal(proving):
        return []
    denied = _denied(proving)
    try:
        if not _leads_outside(proving):
            return []
        if external.log is None:
            return [not_checked(EXTERNAL_LOG, "the external hosts' own log is not available on this target")]
        if arrived := external.arrived(denied):
            text = f"{len(arrived)} of {len(denied)} refused requests arrived, the first from {arrived[0].peer}"
            return [Finding(EXTERNAL_LOG, text, FindingVerdict.FAIL)]
        if text := copies.at_the_host(proving):
            return [Finding(EXTERNAL_LOG, text, FindingVerdict.FAIL)]
    except MeshproofError as error:
        return [inconclusive(EXTERNAL_LOG, error.message)]
    return [Finding(EXTERNAL_LOG, f"{len(denied)} refused request ids absent", FindingVerdict.PASS)]


def _is_refusal(proving: ProvingCase) -> bool:
    """Whether the request must not arrive anywhere, on a path that the twin has shown to be open."""
    return proving.case.refuses and proving.twin_passed


def _denied(proving: ProvingCase) -> set[str]:
    """Ids of the case's refused requests, before the twin and after it.

    Those that no server answered are among them, once the outcome had converged: they may have come to one.
    """
    own = [one for one in proving.attempts if one.phase is not Phase.TWIN]
    ids = {one.request_id for one in proving.seen.attempts if one.matched}
    return ids | {one.request_id for one in own if one.matched or unserved(one)} | proving.refused_more


def _leads_outside(proving: ProvingCase) -> bool:
    """Whether the backend is an external host, which is dialed or is reached through the gateway.

    Raises:
        ClusterError: the pods cannot be listed.
    """
    rig, probe = proving.rig, proving.case.probe
    if rig.external is None:
        return False
    return rig.external.knows(rig.workloads.connect_host(probe)) or _are_gateway(rig, rig.workloads.backends(probe))


def _twin(proving: ProvingCase, twin: Probe) -> tuple[TwinProof, list[Attempt]]:
    case, rig, control = proving.case, proving.rig, proving.twin_control
    expect = case.twin_expect or status(200)
    seen = converge(
        rig.prober.many(twin, control or case.control),
        expect,
        replace(
            rig.certainty.policy, window_s=0.0
        ),  # the twin shows that the path is open, not that a change has spread
        needed=BASELINE_CONFIRMATIONS,
        since=proving.since,
        unchanged=True,
    )
    verdict = Verdict.PASS if seen.converged else Verdict.FAIL if seen.conclusive else Verdict.INCONCLUSIVE
    observed = seen.last.summary if seen.last else "nothing"
    attempts = [replace(attempt, phase=Phase.TWIN) for attempt in seen.attempts]
    last_id = attempts[-1].request_id if attempts else ""
    return TwinProof(control, verdict, expect.text, observed, last_id, sent(twin)), attempts


def _absent(proving: ProvingCase, case: Case, denied: set[str]) -> Finding:
    """No refused id reached a replica, each of whose logs already shows a later request of the twin's."""
    rig, twin = proving.rig, case.twin
    backends = rig.workloads.backends(case.probe)
    if not backends:
        return Finding(BACKEND_LOG, "no ready pod is behind the destination", FindingVerdict.PASS)
    if twin is None or not _reaches(rig, twin, backends):
        if not own_pod.was_open(proving.running, case):
            why = "the twin goes to another backend, so this log is not known to be complete"
            return inconclusive(BACKEND_LOG, f"{why}; a `before` in which the request was let in would do")
        twin = proving.own_probe or own_pod.probe_of(rig, case, backends)

    def passing() -> Iterable[str]:
        """Ids of new requests of the twin, enough for each of several replicas to get one.

        The server's own pod passes its sidecar by, whose log is complete up to a new refused request of the case.
        """
        count = len(backends) if len(backends) == 1 else TURNS * len(backends)
        shown = [outcome.request_id for outcome in rig.prober.probe(twin, case.control, count)]
        if twin is not case.twin:
            again = rig.prober.probe(case.probe, case.control, count)
            proving.refused_more.update(outcome.request_id for outcome in again)
            shown += [outcome.request_id for outcome in again]
        return shown

    since, access_log = proving.running.since, rig.writes_access_log
    read = logs.read_up_to(rig.logs, backends, passing, since=since, budget_s=LOG_BUDGET_S, access_log=access_log)
    if read.missing:
        return inconclusive(BACKEND_LOG, f"the twin's requests did not appear in {', '.join(read.missing)}")
    denied = denied | proving.refused_more
    if arrived := sorted(read.reached(denied)):
        text = f"{len(arrived)} of {len(denied)} refused requests reached the backend, the first: {arrived[0]}"
        return Finding(BACKEND_LOG, text, FindingVerdict.FAIL)
    text = f"{len(denied)} refused request ids absent, the twin's present, in {read.places}"
    return Finding(BACKEND_LOG, text, FindingVerdict.PASS)


def _reaches(rig: Rig, twin: Probe, backends: Sequence[Pod]) -> bool:
    """Whether the twin goes to the same pods."""
    passed = (*rig.workloads.backends(twin), *rig.workloads.egress_pods_for(twin))
    return set(map(key_of, passed)) >= set(map(key_of, backends))


def _are_gateway(rig: Rig, pods: list[Pod]) -> bool:
    """Whether these are pods of the gateway, which leads to the external hosts."""
    return bool(pods) and set(map(key_of, pods)) <= set(map(key_of, rig.workloads.gateway_pods()))
