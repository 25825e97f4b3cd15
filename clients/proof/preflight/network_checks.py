"""Checks of the network: load balancers, the way in through a gateway, and network policies."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clients.kube.cluster import Cluster
from clients.kube.fields import labels_of
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER
from clients.model.addresses import canonical, host_of, is_loopback, joined
from clients.model.errors import ClusterError, InfrastructureError
from clients.probe import outside
from clients.probe.request import Request
from clients.probe.way_in import WaysIn, addresses, node_addresses
from clients.proof.preflight.mesh_checks import POLL_S
from clients.proof.preflight.shown import CheckName, Shown, Tried

ADDRESS_S, ENFORCED_S = 45.0, 10.0
"""Limits for a load balancer's address, and for a network policy to be enforced."""
UNATTENDED_S = 10.0
"""Limit for a load balancer's address as long as nothing but the run has written to the Service. What gives addresses
marks the Service when it begins, by a finalizer, an annotation or a condition (Kubernetes, service controller)."""
PORTS_S = 5.0
"""Limit for the other ports of an address that answers."""
BALANCER_HINT = "gateways are reached by node ports or forwarded ports instead; [ingress] has addresses and annotations"
SILENT = 2
"""Requests in a row without an answer that show a denial."""


def load_balancer(
    cluster: Cluster,
    ways_in: WaysIn,
    namespace: str,
    began: float,
    wanted: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Tried | Shown | None:
    """Whether a Service gets an address in time, and whether that answers; None where it has none and none is wanted.

    Args:
        began: when the Service was made, by `clock`.
        wanted: whether it is worth waiting for; asked only if there is no address yet.
    """
    hint = BALANCER_HINT
    worth: bool | None = None
    while True:
        try:
            service = cluster.get("v1", "Service", "door", namespace) or {}
        except ClusterError as error:
            return Tried(CheckName.LOAD_BALANCER, False, error.message, hint)
        if given := addresses(service):
            break
        worth = wanted() if worth is None else worth
        if not worth:
            return None
        limit = ADDRESS_S if attended(service) else UNATTENDED_S
        if clock() >= began + limit:
            begun = attended(service)
            by_none = "" if begun else ", and nothing has begun to give it one"
            line = Tried(CheckName.LOAD_BALANCER, False, f"no address within {limit:g} s{by_none}", hint)
            return Shown((line,), load_balancer=False, late=begun)
        sleep(POLL_S)
    while not (answered := any(ways_in.answers(host, 80) for host in given)) and clock() < began + ADDRESS_S:
        sleep(POLL_S)
    detail = f"{given[0]} {'answers' if answered else 'does not answer'}"
    if not answered:
        return Shown((Tried(CheckName.LOAD_BALANCER, False, detail, hint),), load_balancer=True)
    until = clock() + PORTS_S
    while (shut := shut_ports(service, given, ways_in)) and clock() < until:
        sleep(POLL_S)
    if not shut:
        return Shown((Tried(CheckName.LOAD_BALANCER, True, detail),), load_balancer=True)
    detail = f"{detail} at port 80, and not at {', '.join(map(str, shut))}"
    line = Tried(CheckName.LOAD_BALANCER, False, detail, f"open them in the firewall; until then {BALANCER_HINT}")
    return Shown((line,), load_balancer=True, shut_ports=shut)


def shut_ports(service: Mapping[str, Any], hosts: Sequence[str], ways_in: WaysIn) -> tuple[int, ...]:
    """Those of the Service's ports that no connection comes through to."""
    ports = [int(one["port"]) for one in (service.get("spec") or {}).get("ports") or ()]
    return tuple(port for port in ports if not any(ways_in.answers(host, port) for host in hosts))


def attended(service: Mapping[str, Any]) -> bool:
    """Whether anything but the run has written to the Service."""
    meta = service.get("metadata") or {}
    writers = {str(one.get("manager")) for one in meta.get("managedFields") or ()}
    conditions = (service.get("status") or {}).get("conditions")
    return bool(writers - {MANAGER} or meta.get("finalizers") or conditions)


def way_in(cluster: Cluster, ways_in: WaysIn, namespace: str) -> Tried | Shown:
    """What a server sees as the address of a client outside, several times."""
    hint = "set [ingress.<gateway>] address, or allow the identity to list nodes and to forward ports"
    request = Request("GET", "http://door.canary/ip", (), "mp-canary", "meshproof/canary")
    try:
        to = ways_in.find("door", namespace, 80)
    except InfrastructureError as error:
        return Tried(CheckName.WAY_IN, False, error.message, hint)
    outcomes = outside.send([request] * 4, to)
    if wrong := [one.summary for one in outcomes if one.status != 200]:
        return Tried(CheckName.WAY_IN, False, f"expected 200 at {joined(*to)}, saw {wrong[0]}", hint)
    seen = {origin(one.body) for one in outcomes}
    own = {host_of(one.local_address) for one in outcomes}
    hidden = seen & _inside(cluster) - own
    fine = len(seen) == 1 and not hidden and not any(not one or is_loopback(one) for one in seen)
    detail = f"{joined(*to)}, where this machine is seen as {', '.join(sorted(seen))}"
    hint = "reach gateways by an address that keeps the client's: externalTrafficPolicy: Local, or a load balancer"
    line = Tried(CheckName.WAY_IN, fine, detail, hint)
    return Shown((line,), client_address=fine, outside_address=min(seen) if fine else "")


def _inside(cluster: Cluster) -> set[str]:
    """Addresses of nodes: one of them in place of the client's means that it was translated."""
    try:
        return {canonical(address) for node in cluster.objects("v1", "Node") for address in node_addresses(node)}
    except ClusterError:
        return set()


def guarding(cluster: Cluster, namespace: str) -> tuple[str, ...]:
    """Names of the network policies that others have put into a namespace of the run, sorted."""
    try:
        found = cluster.objects("networking.k8s.io/v1", "NetworkPolicy", namespace)
    except ClusterError:
        return ()
    others = (one["metadata"] for one in found if labels_of(one).get(MANAGED_BY_LABEL) != MANAGER)
    return tuple(sorted(str(one["name"]) for one in others))


def opened(names: tuple[str, ...]) -> Shown:
    """That new namespaces are closed, and that a run opens its own."""
    detail = f"each gets {', '.join(names)}; a run's own get a network policy that allows everything"
    return Shown((Tried(CheckName.NEW_NAMESPACES, True, detail),), guarding=names)


def not_alone(names: tuple[str, ...]) -> Shown:
    """That a run's network policies would not be the only ones of its namespaces: what any of them allows passes."""
    detail = f"new namespaces get {', '.join(names)}, which add to a run's own"
    hint = "exempt namespaces with the label meshproof.dev/run from them"
    return Shown((Tried(CheckName.NETWORK_POLICIES, False, detail, hint),), network_policy=False)


def without_policy(ask: Callable[[], str]) -> Tried | None:
    """What is wrong with a request that no policy of the canary denies yet; None where it is answered.

    Args:
        ask: sends it (see `enforced`).
    """
    if (before := ask()) == "200":
        return None
    hint = "let namespaces with the label meshproof.dev/run talk among themselves, or choose namespaces.labels"
    return Tried(CheckName.NETWORK_POLICIES, False, f"without any of ours: expected 200, saw {before}", hint)


def network_policy(ask: Callable[[], str]) -> Tried | Shown:
    """Whether the policy that denies a request is enforced."""
    found, seen = enforced(ask)
    if found is None:
        return Tried(CheckName.NETWORK_POLICIES, False, f"a denied request: expected 000 or 200, saw {seen}")
    hint = "use a network plug-in that enforces them: Calico, Cilium and others"
    detail = "a denied request got no answer" if found else f"a denied request got {seen}"
    return Shown((Tried(CheckName.NETWORK_POLICIES, found, detail, hint),), network_policy=found)


def enforced(
    ask: Callable[[], str],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[bool | None, str]:
    """Whether a denied request stays without an answer, and what was seen last; None where the probe did not run.

    Args:
        ask: sends it; `000` is no answer, as curl prints it.
    """
    deadline, seen, row = clock() + ENFORCED_S, "", 0
    while row < SILENT and clock() < deadline:
        sleep(POLL_S)
        seen = ask()
        row = row + 1 if seen == "000" else 0
    return {"000": row == SILENT or None, "200": False}.get(seen), seen


def origin(body: str) -> str:
    """The address in the answer of httpbin's `/ip`, without a port; empty where there is none."""
    try:
        return host_of(str(json.loads(body)["origin"]))
    except (ValueError, KeyError, TypeError):
        return ""
