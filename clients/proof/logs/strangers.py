"""Requests of unknown origin that a backend had: no probe is one of them, and no proxy of the run sent them on.

A copy of a refused request may state any client: a proxy takes the address in `x-forwarded-for` for that of the client
(Envoy, "x-forwarded-for"), and logs it without a port. So does a gateway, and a program that states its own client; but
each of their requests is in the log of the proxy that sent it on.
"""

from __future__ import annotations

from collections.abc import Sequence

from clients.kube.pods import SIDECAR, Pod, addresses_of
from clients.mesh.access_logs import accesslog
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.access_logs.logs import LogSource
from clients.model.addresses import split
from clients.model.counted import counted
from clients.model.decision import Proxy
from clients.proof.logs import copies
from clients.proof.logs.late_entries import flushed
from clients.proof.logs.route import Route
from clients.proof.proving import ProvingCase
from clients.proof.rig.ready_pods import Key, key_of


def reached(proving: ProvingCase, path: Route, since: float) -> str:
    """Which of them reached the backend, in words; empty where none did, or too few to be sure.

    Raises:
        MeshproofError: a log has a gap, or cannot be read; or pods cannot be listed.
    """
    rig, most = proving.rig, copies.fewest(proving)
    for pod in path.proxies(Proxy.SERVER):
        lines = rig.logs.of(LogSource(pod, SIDECAR), since)
        entries = copies.after_the_first(lines.entries(since), rig.prober.sent_ids)
        strange = [one for one in entries if _is_strange(proving, path, one)]
        if len(strange) < most:
            continue
        left = _of_no_proxy(proving, strange, since, most)
        lines.check(since)
        if len(left) >= most:
            shown = f"{left[0].path} from {left[0].downstream_remote}"
            return f"{counted(len(left), 'request')} reached {pod} that no proxy sent on, the first: {shown}"
    return ""


def _is_strange(proving: ProvingCase, path: Route, entry: AccessLogEntry) -> bool:
    """Whether it is of a request that states another client than the case's, and that no probe sent."""
    address, port = split(entry.downstream_remote)
    stated = port == "0" and address not in addresses_of(path.client)
    taken_in = entry.upstream_cluster.startswith("inbound|") and accesslog.forwarded(entry)
    ours = accesslog.belongs(entry.request_id, entry.user_agent, proving.rig.prober.sent_ids)
    return stated and taken_in and bool(entry.request_id) and not ours


def _of_no_proxy(
    proving: ProvingCase, strange: Sequence[AccessLogEntry], since: float, most: int
) -> Sequence[AccessLogEntry]:
    """Those that no proxy of the run's namespaces has sent on; gateways are looked at first, and mostly alone."""
    pods = _pods(proving, since)
    gateways, left = [pod for pod in pods if pod.is_gateway], strange
    for those in (gateways, [pod for pod in pods if pod not in gateways]):
        if len(left) >= most:
            left = _left(proving, left, those, since, most)
    return left


def _pods(proving: ProvingCase, since: float) -> list[Pod]:
    """Pods with a proxy, those as well that have gone meanwhile: their logs are known as far as they were followed."""
    rig, found = proving.rig, dict[Key, Pod]()
    for name in sorted(rig.environments.namespaces):
        there = (*rig.cluster.pods(name), *rig.workloads.seen_ready(name, {}, since))
        found |= {key_of(pod): pod for pod in there if pod.injected}
    return list(found.values())


def _left(
    proving: ProvingCase, strange: Sequence[AccessLogEntry], pods: Sequence[Pod], since: float, most: int
) -> Sequence[AccessLogEntry]:
    logs = [proving.rig.logs.of(LogSource(pod, SIDECAR), since) for pod in pods]

    def look() -> tuple[bool, list[AccessLogEntry]]:
        return True, [one for one in strange if not any(copies.sent_on(log, one.request_id) for log in logs)]

    return flushed(look, most, logs)[1] if logs else strange
