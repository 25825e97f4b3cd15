"""What is in force is what was applied: the stage's objects, and the policies that proxies hold, read back at its end.

Once for each state of a stage (before each step, and when all its cases are proven), not for each case.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from clients.apply import read_back
from clients.apply.item import Item
from clients.kube.pods import Pod
from clients.mesh import applied_policies, sidecar
from clients.mesh.applied_policies import KINDS
from clients.mesh.enforced import Enforced, enforced, names_otherwise, takes_in
from clients.model.api_groups import SECURITY_V1
from clients.model.case import Case
from clients.model.errors import MeshproofError
from clients.model.evidence import Finding, FindingVerdict
from clients.model.redact import redact
from clients.probe.outside import OutsideClient
from clients.proof import lost_api
from clients.proof.proving import inconclusive, not_checked
from clients.proof.rig.rig import Rig
from clients.proof.stage.running_stage import RunningStage

OBJECTS, PROXIES = "objects in force", "policies at the proxies"
MAX_PROXIES = 4
"""Proxies that are looked at in one state of a stage: each look is a program that runs in the proxy's container."""
PATIENCE_S = 3.0
"""How long a proxy may lag behind in what no case's outcome depends on, also after the budget of a case is over; that
counts from the change, which a slow control plane may send in parts."""
_POLL_S = 0.5
_THREADS = 4
_BY_OTHERS = "changed by another client, or by an admission webhook"
_SHUT = "no Gateway opens a port of it, so no policy is there that could be compared"
_OTHERWISE = "its listeners are named as by another control plane than istiod, so they cannot be compared"


@dataclass(frozen=True)
class InForce:
    """What was found.

    Attributes:
        common: findings that concern every case of the state.
        wrong: by pod, how its proxy differs from what was applied; `checked` are all pods whose proxies were looked at.
        unread: those of them whose proxies cannot be compared, and why: gateways that take nothing in hold no policy,
            and another control plane than istiod may send policies in another form.
        backends: by case id, the pods that its probe may reach.
    """

    common: tuple[Finding, ...] = ()
    wrong: dict[Pod, str] = field(default_factory=dict)
    checked: frozenset[Pod] = frozenset()
    unread: dict[Pod, str] = field(default_factory=dict)
    backends: dict[str, tuple[Pod, ...]] = field(default_factory=dict)

    def findings(self, case: Case) -> list[Finding]:
        """Those of a case."""
        own = [pod for pod in self.backends.get(case.id, ()) if pod in self.checked]
        wrong = [f"{pod}: {self.wrong[pod]}" for pod in own if pod in self.wrong]
        found = list(self.common)
        if wrong:
            found.append(Finding(PROXIES, redact("; ".join(wrong)), FindingVerdict.FAIL))
        elif unread := [f"{pod}: {self.unread[pod]}" for pod in own if pod in self.unread]:
            found.append(not_checked(PROXIES, redact("; ".join(unread))))
        elif own:
            text = f"as applied at {', '.join(map(str, own))}"
            found.append(Finding(PROXIES, text, FindingVerdict.PASS))
        return found


def look(running: RunningStage, cases: Sequence[Case], *, clock: Callable[[], float] = time.monotonic) -> InForce:
    """Read everything back. Never raises for what the cluster does.

    Args:
        cases: those that were proven in this state of the stage; the proxies are those that their probes lead to.
    """
    items = running.in_force
    if not items or any(seen.problem for seen in running.settled):
        return InForce()
    with ThreadPoolExecutor(1) as thread:
        objects = thread.submit(_objects, running.rig, items)
        found = _at_proxies(running, cases, items, lambda: objects.done() and _by_others(objects.result()), clock)
    if _by_others(objects.result()):
        return InForce((objects.result(),))  # proxies hold what another client has made of it: not the mesh's doing
    return replace(found, common=(objects.result(), *found.common))


def _by_others(objects: Finding) -> bool:
    return objects.verdict is FindingVerdict.INCONCLUSIVE


def _at_proxies(
    running: RunningStage,
    cases: Sequence[Case],
    items: Sequence[Item],
    given_up: Callable[[], bool],
    clock: Callable[[], float],
) -> InForce:
    """What proxies hold. It is not looked at again where that is `given_up`."""
    policies = [item for item in items if item.kind in KINDS]
    try:
        backends = _backends(running.rig, cases) if policies else {}
        pods = _selected(policies, backends, running.rig.mesh.root)
        by = running.changed_at + running.rig.certainty.policy.budget_s
        deadline = max(clock() + PATIENCE_S, by, lost_api.caught_up_at(running.rig))

        def lasts() -> bool:
            return clock() < deadline and not given_up()

        wrong, unread = _wrong(running.rig, policies, pods, lasts) if pods else ({}, {})
    except MeshproofError as error:
        return InForce((not_checked(PROXIES, error.message),))
    return InForce((), wrong, frozenset(pods), unread, backends)


def _objects(rig: Rig, items: Sequence[Item]) -> Finding:
    """Another client's change is not the mesh's doing: what was seen is then not known to be of what was applied."""

    def one(item: Item) -> str:
        return read_back.difference(item, rig.applier.accepted(item), rig.cluster.get)

    try:
        with ThreadPoolExecutor(_THREADS) as threads:
            found = [f"{item} {text}" for item, text in zip(items, threads.map(one, items), strict=True) if text]
    except MeshproofError as error:
        return not_checked(OBJECTS, error.message)
    if found:
        return inconclusive(OBJECTS, f"{redact('; '.join(found))} ({_BY_OTHERS})")
    return Finding(OBJECTS, f"{len(items)} as applied", FindingVerdict.PASS)


def _backends(rig: Rig, cases: Sequence[Case]) -> dict[str, tuple[Pod, ...]]:
    """Looked up once for each host: namespace and name, or the short name seen from a client's namespace."""
    found: dict[tuple[str, str], tuple[Pod, ...]] = {}
    for case in cases:
        key = _place(rig, case)
        if key not in found:
            pods = [*rig.workloads.backends(case.probe), *rig.workloads.egress_pods_for(case.probe)]
            pods += rig.workloads.door(case.probe)
            if isinstance(case.probe.source, OutsideClient):
                pods += rig.workloads.pods(case.probe.source)  # of the gateway, which enforces policies too
            found[key] = tuple(pod for pod in dict.fromkeys(pods) if pod.injected)
    return {case.id: found[_place(rig, case)] for case in cases}


def _place(rig: Rig, case: Case) -> tuple[str, str]:
    host, source = rig.workloads.connect_host(case.probe), case.probe.source
    if isinstance(source, OutsideClient):
        return host, str(source)
    door = replace(case.probe, behind="").destination if case.probe.behind else ""
    return f"{door} {host}", "" if "." in host and (not door or "." in door) else str(source)


def _selected(policies: Sequence[Item], backends: dict[str, tuple[Pod, ...]], root: str) -> list[Pod]:
    """Pods that a policy is for: one of each destination first, then their other replicas."""
    places = dict.fromkeys(backends.values())
    replicas = max(map(len, places), default=0)
    by_turn = (pods[turn] for turn in range(replicas) for pods in places if turn < len(pods))
    chosen = dict.fromkeys(
        pod for pod in by_turn if any(applied_policies.selects(one.body, pod, root) for one in policies)
    )
    return list(chosen)[:MAX_PROXIES]


def _wrong(
    rig: Rig, policies: Sequence[Item], pods: Sequence[Pod], lasts: Callable[[], bool]
) -> tuple[dict[Pod, str], dict[Pod, str]]:
    """By pod, how its proxy differs (it is looked at again while `lasts`); and why others cannot be compared."""
    left, wrong, unread = list(pods), dict[Pod, str](), dict[Pod, str]()
    while left:
        with ThreadPoolExecutor(_THREADS) as threads:
            found = dict(zip(left, threads.map(lambda pod: _difference(rig, policies, pod), left), strict=True))
        unread |= {pod: why for pod, (_, why) in found.items() if why}
        wrong = {pod: text for pod, (text, _) in found.items() if text}
        left = list(wrong) if lasts() else []
        if left:
            time.sleep(_POLL_S)
    return wrong, {pod: why for pod, why in unread.items() if pod not in wrong}


def _difference(rig: Rig, policies: Sequence[Item], pod: Pod) -> tuple[str, str]:
    """How its proxy differs, and why what differs may not count; each is empty where there is nothing.

    Modes of mutual TLS are read from the listeners themselves, so they count also where policies cannot be read.
    """
    bodies, (dump, inbound) = [item.body for item in policies], sidecar.listeners(rig.cluster, pod)
    try:
        return _compared(rig, bodies, pod, dump, inbound=inbound)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise MeshproofError(f"the proxy of {pod} sent a configuration of a form that is not known") from None


def _compared(
    rig: Rig, bodies: Sequence[dict[str, Any]], pod: Pod, dump: dict[str, Any], *, inbound: bool
) -> tuple[str, str]:
    if not (pod.is_gateway or inbound) and names_otherwise(dump):
        return "", _OTHERWISE
    held = enforced(dump)
    found = [*applied_policies.differences(bodies, pod, held, rig.mesh.root), *_gone(rig, bodies, held)]
    found = found or _unstated(rig, bodies, pod, held)
    if found and pod.is_gateway and not takes_in(dump):
        return "", _SHUT
    if found and held.unread:
        modes = [body for body in bodies if body["kind"] == "PeerAuthentication"]
        found = applied_policies.differences(modes, pod, held, rig.mesh.root)
        return "; ".join(found), "" if found else held.unread
    return "; ".join(found), ""


def _gone(rig: Rig, policies: Iterable[dict[str, object]], held: Enforced) -> list[str]:
    """Policies that the proxy still holds, and that the cluster does not have."""
    return [
        f"AuthorizationPolicy {namespace}/{name} is still there, which does not exist"
        for namespace, name in sorted(applied_policies.unknown_policies(policies, held))
        if rig.cluster.get(SECURITY_V1, "AuthorizationPolicy", name, namespace) is None
    ]


def _unstated(rig: Rig, policies: Sequence[dict[str, Any]], pod: Pod, held: Enforced) -> list[str]:
    """Issuers for which the proxy has another provider than was applied, and than policies of others state.

    Where those cannot be read, nothing is said.
    """
    root = rig.mesh.root
    own = {(one["metadata"].get("namespace"), one["metadata"]["name"]) for one in policies}
    if not (issuers := applied_policies.unstated_issuers(policies, pod, held, root)):
        return []
    try:
        others = [
            {"kind": "RequestAuthentication", **body}
            for namespace in dict.fromkeys((pod.namespace, root))
            for body in rig.cluster.objects(SECURITY_V1, "RequestAuthentication", namespace)
            if (namespace, body["metadata"]["name"]) not in own
        ]
    except MeshproofError:
        return []
    unexplained = [one for one in issuers if not applied_policies.names_issuer(others, pod, one, root)]
    return [f"another provider of issuer {one} is there, which no policy states" for one in unexplained]
