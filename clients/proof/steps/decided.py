"""Proof step of a denial: the proxy that had to refuse says of each refused request that it did, and by what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

from clients.kube.pods import SIDECAR, Pod, addresses_of
from clients.mesh.access_logs import logs
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.policies import EnforcedPolicy
from clients.model.addresses import host_of
from clients.model.attempt import Attempt
from clients.model.counted import counted
from clients.model.decision import Decision, Mechanism, Proxy
from clients.model.errors import MeshproofError
from clients.model.evidence import Finding, FindingVerdict
from clients.proof.logs import changed_pods, complete_logs, mechanism, old_connections
from clients.proof.logs.log_entries import FLUSHED_S, MOST_FROM_OTHER_PORTS
from clients.proof.logs.route import ProxyLogs, Route, refused_requests, route, traceable
from clients.proof.proving import ProvingCase, inconclusive, not_checked, of_case

DECISION = "decision"


@dataclass(frozen=True)
class _Question:
    """What is looked for.

    Attributes:
        requests: the refused ones.
        pods: those whose proxies may have decided.
        hops: pods of the client's own proxy, where it opens the connections to these.
        names: by pod, the policies that its proxy may refuse by, as the cluster names them; of that mechanism alone.
    """

    decision: Decision
    requests: tuple[Attempt, ...]
    pods: tuple[Pod, ...]
    hops: tuple[Pod, ...]
    servers: frozenset[str]
    names: Mapping[Pod, frozenset[str]]


@dataclass(frozen=True)
class _Answer:
    """Entries as they must be, those of other requests, how many lack the former, and how many old connections had."""

    decided: tuple[AccessLogEntry, ...]
    others: tuple[AccessLogEntry, ...]
    missing: int
    old: int = 0


@of_case
def refused_by_policy(proving: ProvingCase) -> list[Finding]:
    """Each refused request is in the log of the proxy that has to refuse it, refused by the mechanism that must."""
    case = proving.case
    if not (case.refuses and proving.twin_passed):
        return []
    try:
        path = route(proving.rig, case.probe)
        policies = proving.rig.policies.at(path.receiving, proving.running.changed_at)
        decision = case.decided or _derived(proving, path, policies)
        if decision is None:
            return []
        finding = _finding(proving, path, decision)
        at = path.deciding(decision)
        passed = decision.mechanism is not Mechanism.NETWORK and finding.verdict is FindingVerdict.PASS
        proving.refused_elsewhere = passed and set(at).isdisjoint(path.client)
        return [finding]
    except LookupError as error:
        return [not_checked(DECISION, str(error))]
    except MeshproofError as error:
        return [inconclusive(DECISION, error.message)]


def _derived(proving: ProvingCase, path: Route, policies: Collection[EnforcedPolicy]) -> Decision | None:
    """The decision that follows from the outcome; None where the case states itself what proxies log of it."""
    case, last = proving.case, proving.seen.last
    assert last is not None
    try:
        found = mechanism.derived(case.expect, last, case.probe.method, path, policies)
    except LookupError:
        if mechanism.states_decision(case):
            return None
        raise
    by_text = found.mechanism in (Mechanism.AUTHORIZATION, Mechanism.TOKEN)
    return None if mechanism.states_decision(case) and not by_text else found


def _finding(proving: ProvingCase, path: Route, decision: Decision) -> Finding:
    question = _question(proving, path, decision)
    found = ProxyLogs(proving.rig, proving.running.since)
    if decision.mechanism is Mechanism.NETWORK:
        return _unnoticed(found, question, path, writes=proving.rig.writes_access_log)
    if not question.pods:
        what = f"no proxy on the way could refuse by {decision.text}"
        return changed_pods.absent(proving, proving.case.probe, DECISION, what)
    if not proving.rig.writes_access_log:
        return not_checked(DECISION, "the mesh writes no access log")
    answer = logs.wait_for(
        proving.rig.logs,
        lambda: _answer(found, question),
        lambda seen: not seen.missing,
        [logs.LogSource(pod, SIDECAR) for pod in question.pods],
        FLUSHED_S,
    )
    if answer.missing and path.outside:
        answer = _by_number(found, question, answer, proving.began)
    complete = not answer.missing or complete_logs.go_beyond(proving, question.pods)
    if answer.missing:  # entries may have come while the logs were seen to go beyond them
        answer = _answer(found, question)
        known = partial(_by_number, since=proving.began) if path.outside else _from_other_ports
        answer = known(found, question, answer) if answer.missing else answer
    answer = _without_old(found, question, answer, proving.running.changed_at)
    found.check(question.pods)
    not_read = changed_pods.why(proving, proving.case.probe) or found.torn(question.pods) if answer.missing else ""
    return _judged(question, answer, complete, not_read)


def _question(proving: ProvingCase, path: Route, decision: Decision) -> _Question:
    pods = path.deciding(decision)
    at, state = proving.rig.policies.at, proving.running.changed_at
    if decision.policy and decision.policy != mechanism.NO_POLICY:
        namespace, _, name = decision.policy.partition("/")
        stated = replace(decision, policy=f"{proving.rig.overlay.namespace(namespace)}/{name}")
    else:
        stated = decision
    by_policy = decision.mechanism is Mechanism.AUTHORIZATION  # where none is in force, none can have refused
    through_sidecar = not path.outside and set(pods) != set(path.client)
    elsewhere = decision.mechanism is Mechanism.NOT_ROUTED  # only there it matters which address is a server's
    gone = changed_pods.left(proving, proving.case.probe) if elsewhere else []
    return _Question(
        decision,
        traceable(refused_requests(proving), not (path.outside or path.door) and set(pods).isdisjoint(path.gateway)),
        pods,
        path.proxies(Proxy.CLIENT) if through_sidecar else (),
        addresses_of((*path.servers, *gone)),
        {pod: mechanism.expected_policies(stated, at([pod], state)) for pod in (pods if by_policy else ())},
    )


def _answer(found: ProxyLogs, question: _Question) -> _Answer:
    decided, others, missing = [], [], 0
    for request in question.requests:
        entries = [(pod, one) for pod in question.pods for one in found.entries((pod,), request, question.hops)]
        right = [one for pod, one in entries if _is(question, pod, one)]
        decided += right[:1]
        others += [] if right else [one for _, one in entries[-1:]]
        missing += not right
    return _Answer(tuple(decided), tuple(others), missing)


def _is(question: _Question, pod: Pod, entry: AccessLogEntry) -> bool:
    """Whether an entry of this pod's proxy is of a refusal as it must be."""
    return mechanism.decided(question.decision, question.names.get(pod), question.servers, entry)


def _of_connections(found: ProxyLogs, question: _Question, since: float) -> list[AccessLogEntry]:
    """The entries since a time of connections, which have no request's id, that were refused as they had to be."""
    entries = [(pod, entry) for pod in question.pods for entry in found.of(pod).entries(since)]
    return [entry for pod, entry in entries if not entry.request_id and _is(question, pod, entry)]


def _by_number(found: ProxyLogs, question: _Question, answer: _Answer, since: float) -> _Answer:
    """The answer for connections from outside, whose addresses a load balancer may have translated.

    The proxy has as many entries, of connections from no pod that is known here, as there were requests at least.

    Args:
        since: when the first of them was sent: what was refused earlier, while the stage settled, is none of them.
    """
    known = addresses_of(question.pods)
    entries = [one for one in _of_connections(found, question, since) if host_of(one.downstream_remote) not in known]
    if answer.others or len(entries) < len(question.requests):
        return answer
    return replace(answer, decided=tuple(entries), missing=0)


def _from_other_ports(found: ProxyLogs, question: _Question, answer: _Answer) -> _Answer:
    """The answer with the connections whose port netfilter changed on the way to the proxy.

    A client may use one port for connections to two ports of a server at once. Both are redirected to one port of the
    proxy, where their addresses would be the same, so the second gets another port. Its entry is of the same client and
    server port, and of no port that a request had. As this is rare, it explains no more than a quarter of the requests.
    """
    if answer.others or answer.missing > len(question.requests) * MOST_FROM_OTHER_PORTS:
        return answer
    sent = {request.local for request in question.requests if request.local}
    clients = {host_of(local) for local in sent}
    dialled = {entry.downstream_local for entry in answer.decided}
    entries = [
        entry
        for entry in _of_connections(found, question, found.since)
        if entry.downstream_remote not in sent
        and host_of(entry.downstream_remote) in clients
        and entry.downstream_local in dialled
    ]
    if not answer.missing or len(entries) < answer.missing:
        return answer
    return replace(answer, decided=(*answer.decided, *entries[-answer.missing :]), missing=0)


def _without_old(found: ProxyLogs, question: _Question, answer: _Answer, changed_at: float) -> _Answer:
    """The answer without requests that old connections carried to the configuration of before the change."""
    in_force = frozenset[str]().union(*question.names.values())
    logs_of, old = [found.of(pod) for pod in question.pods], len(answer.others)
    few = 0 < old <= len(question.requests) * old_connections.MOST
    if few and in_force and all(old_connections.over_old(one, logs_of, in_force, changed_at) for one in answer.others):
        return replace(answer, others=(), missing=answer.missing - old, old=old)
    return answer


def _judged(question: _Question, answer: _Answer, complete: bool, not_read: str) -> Finding:
    count, by = counted(len(question.requests), "request"), question.decision.text
    where = ", ".join(map(str, question.pods))
    if not answer.missing:
        policies = {policy for entry in answer.decided if (policy := mechanism.matched_policy(entry))}
        last = mechanism.seen(answer.decided[-1]) if answer.decided else "no request"
        more = f" [{', '.join(sorted(policies))}]" if policies else ""
        more += f" ({answer.old} over connections from before the change, by policies of then)" if answer.old else ""
        verdict = FindingVerdict.PASS if answer.decided else FindingVerdict.INCONCLUSIVE
        return Finding(DECISION, f"{count} refused by {by}{more} at {where}, the last: {last}", verdict)
    what = f"{answer.missing} of {len(question.requests)} refused requests were not refused by {by} at {where}"
    if answer.others:
        return Finding(DECISION, f"{what}: {mechanism.seen(answer.others[-1])}", FindingVerdict.FAIL)
    if not_read:
        return inconclusive(DECISION, f"{what}; {not_read}")
    if complete:
        return Finding(DECISION, f"{what}, whose log does not have them", FindingVerdict.FAIL)
    return inconclusive(DECISION, f"{what}, and its log is not known to be complete")


def _unnoticed(found: ProxyLogs, question: _Question, path: Route, *, writes: bool) -> Finding:
    """No proxy behind the network saw the connections: only the network can have refused them."""
    behind = path.receiving
    if behind and not writes:
        return not_checked(DECISION, "the mesh writes no access log that would show a connection")
    seen = [entry for request in question.requests for entry in found.entries(behind, request)]
    found.check(behind)
    if not seen and (trouble := next((log.problem for log in map(found.of, behind) if log.problem), "")):
        return inconclusive(DECISION, trouble)
    if seen:
        came = counted(len(seen), "connection")
        text = f"{came} came to a proxy behind the network: {mechanism.seen(seen[0])}"
        return Finding(DECISION, text, FindingVerdict.FAIL)
    where = f"no entry at {', '.join(map(str, behind))}" if behind else "no proxy is behind it"
    return Finding(DECISION, f"refused by the network: {where}", FindingVerdict.PASS)
