"""The way in: where a client outside the cluster reaches a gateway, found by asking and not guessed.

In this order: the address that the settings give; the load balancer's; a node that has a pod of the gateway, at the
node port; a port that the API server forwards. The first that takes a connection is the way. Where it leads to some of
the gateway's pods only, requests take turns between all of its kind: a pod that none came to would be proven by none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, count, islice
from typing import Any

from clients.kube.cluster import Cluster
from clients.kube.fields import label_selector, spec_of
from clients.kube.pods import Pod
from clients.kube.port_forward import PortForward
from clients.kube.recent import Recent
from clients.model.entrance import Entrance, Way
from clients.model.errors import ClusterError, InfrastructureError
from clients.probe.reachable import accepts, replies

POLL_S = 0.5
SHARED_S = 2.0
"""How long a node's address counts: a gateway's pod may be replaced by one on another node."""
MOST_NODES = 16
"""Addresses of nodes that are tried, side by side: every node takes what comes to a node port (Kubernetes, Service).
One after another, all those of a large private cluster would take minutes."""
STATUS_PORT = 15021
"""Of every gateway, open as soon as it is ready (Istio); its other ports open with the first `Gateway` object."""

Addresses = tuple[tuple[str, int], ...]
"""Hosts and ports that lead to different pods of a gateway; only one, where it leads to all of them."""
Look = Callable[[dict[str, Any], int, list[str]], Addresses]
"""Looks for one kind of way to a port of a Service; notes in the list what does not lead there."""
Answers = Callable[[str, int], bool]
"""Whether something accepts a connection at an address."""


@dataclass
class WaysIn:
    """Finds the way in to each Service, once; nodes are asked for again, as pods move.

    Args:
        entrances: `namespace/service`, by its real name → what the settings say.
        shut: ports at which nothing comes through a load balancer from here, as the preflight saw.
    """

    cluster: Cluster
    entrances: Mapping[str, Entrance] = field(default_factory=dict)
    answers: Answers = accepts
    replies: Answers = replies
    shut: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        self._recent: Recent[Addresses] = Recent(SHARED_S)
        self._turns: dict[tuple[str, str, int], Iterator[int]] = {}
        self._chosen: dict[tuple[str, str, int], Way] = {}
        self._forwards: dict[tuple[str, int], PortForward] = {}
        self._waited: set[tuple[str, str]] = set()

    def find(self, service: str, namespace: str, port: int, *, direct: bool = False) -> tuple[str, int]:
        """Address and port of a Service from outside: of several, each call gives the next.

        Args:
            direct: the Service leads to pods with a sidecar, which a forwarded port would bypass.

        Raises:
            InfrastructureError: the Service does not exist, or no way leads to it (yet).
        """
        key = (namespace, service, port)
        stated = self.entrances.get(f"{namespace}/{service}", Entrance())
        if stated.address:
            return stated.address, port
        try:
            found = self._recent.get(key, lambda: self._look(key, self._chosen.get(key, stated.way), direct=direct))
        except ClusterError as error:
            raise InfrastructureError(error.message, error.hint) from None
        return found[next(self._turns.setdefault(key, count())) % len(found)]

    def wait_open(self, service: str, namespace: str, deadline: float) -> None:
        """Wait until the address of a gateway's load balancer answers: names must resolve, targets become healthy.

        Returns at the monotonic `deadline` at the latest, and at once where there is nothing to wait for. Once for each
        Service: one whose address has not answered is reached by another way.
        """
        stated = self.entrances.get(f"{namespace}/{service}", Entrance())
        if stated.address or stated.way not in (Way.AUTO, Way.ADDRESS) or (namespace, service) in self._waited:
            return
        self._waited.add((namespace, service))
        with suppress(ClusterError):
            found = self.cluster.get("v1", "Service", service, namespace) or {"spec": {"ports": []}}
            status = status_port(found)
            ports = [one["port"] for one in found["spec"]["ports"]] if status in self.shut else [status] * bool(status)
            while ports and addresses(found) and time.monotonic() < deadline:
                if any(self._leads(found, host, port) for host in addresses(found) for port in ports):
                    return
                time.sleep(POLL_S)

    def forward_to(self, place: tuple[str, int]) -> PortForward | None:
        """What forwards the port that was found as the way in; None where it is another way."""
        return next((one for one in list(self._forwards.values()) if one.address == place), None)

    def forget(self) -> None:
        """Look everything up again: after a change to the workloads themselves."""
        self._recent.forget()
        self._chosen.clear()
        for forward in self._forwards.values():
            forward.close()
        self._forwards.clear()

    def _look(self, key: tuple[str, str, int], way: Way, *, direct: bool) -> Addresses:
        """The first way that is open. It stays the only one: the gateway may see another client by another way."""
        namespace, name, port = key
        service = self.cluster.get("v1", "Service", name, namespace)
        if service is None:
            raise InfrastructureError(f"service {namespace}/{name} does not exist")
        tried: list[str] = []
        looks: list[tuple[Way, Look]] = [(Way.ADDRESS, self._balanced), (Way.NODE_PORT, self._node)]
        looks += [] if direct else [(Way.PORT_FORWARD, self._forward)]
        for kind, look in looks:
            if way in (Way.AUTO, kind) and (found := look(service, port, tried)):
                self._chosen[key] = kind
                return found
        why = "; ".join(tried) or "it has no address outside the cluster"
        raise InfrastructureError(f"service {namespace}/{name} cannot be reached at port {port}: {why}", HINT)

    def _balanced(self, service: dict[str, Any], port: int, tried: list[str]) -> Addresses:
        """The load balancer's address, behind which are all pods."""
        for host in addresses(service):
            if self._leads(service, host, port):
                return ((host, port),)
            tried.append(f"its address {host} does not answer" + (f" at port {port}" if port in self.shut else ""))
        return ()

    def _leads(self, service: dict[str, Any], host: str, port: int) -> bool:
        """Whether a load balancer's address leads to a port: its gateway is asked at the status port, where it can be.

        Another port of a gateway is closed before its first `Gateway` object: then it refuses, and it is there.
        """
        status = status_port(service)
        if port in self.shut:
            return False
        return self.replies(host, port) if status in self.shut else self.answers(host, status or port)

    def _node(self, service: dict[str, Any], port: int, tried: list[str]) -> Addresses:
        """A node that answers at the node port; asked at that of the status port, where the Service has one.

        With `externalTrafficPolicy: Local` a node leads to its own pods: then it is each node that has one and answers.
        """
        number = node_port(service, port)
        if not number:
            return ()
        asked = node_port(service, status_port(service)) or number
        try:
            nodes = self.cluster.objects("v1", "Node")
        except ClusterError as error:
            tried.append(f"nodes are not known ({error.message})")
            return ()
        local = service["spec"].get("externalTrafficPolicy") == "Local"
        by_node = addresses_by_node(nodes, {pod.node for pod in self._pods(service)}, only=local)
        hosts = list(islice(chain.from_iterable(by_node), MOST_NODES))
        opened: list[str] = []
        threads = ThreadPoolExecutor(MOST_NODES)
        try:
            for host, answered in zip(hosts, threads.map(lambda one: self.answers(one, asked), hosts), strict=True):
                opened += [host] if answered else []
                if opened and not local:
                    break
                tried += [] if answered else [f"node {host} does not answer at {asked}"]
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
        first_of_each = (next((host for host in own if host in opened), "") for own in by_node)
        return tuple((host, number) for host in first_of_each if host)

    def _forward(self, service: dict[str, Any], port: int, tried: list[str]) -> Addresses:
        """Ports that the API server forwards, one to each of the gateway's pods."""
        if not self.cluster.can_i("create", "pods", service["metadata"]["namespace"], subresource="portforward"):
            tried.append("this identity may not create pods/portforward")
            return ()
        stated: dict[str, Any] = next((one for one in service["spec"]["ports"] if one["port"] == port), {})
        target = stated.get("targetPort", port)
        pods = self._pods(service)
        if not pods or not isinstance(target, int):
            tried.append("no pod of it is ready" if not pods else f"the port of its pods is the name {target}")
            return ()
        for pod in pods:
            if (str(pod), target) not in self._forwards:
                self._forwards[str(pod), target] = PortForward(self.cluster, pod, target)
        return tuple(self._forwards[str(pod), target].address for pod in pods)

    def _pods(self, service: dict[str, Any]) -> list[Pod]:
        labels = label_selector(spec_of(service).get("selector") or {})
        found = self.cluster.pods(service["metadata"]["namespace"], labels) if labels else []
        return [pod for pod in found if pod.ready]


HINT = "give its address by [ingress.<gateway>] address, or let the identity list nodes and forward ports"


def addresses(service: dict[str, Any]) -> list[str]:
    """Those that a load balancer has given to the Service."""
    given = service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    return [str(one.get("ip") or one.get("hostname")) for one in given]


def status_port(service: dict[str, Any]) -> int:
    """`STATUS_PORT` where the Service has it, else 0."""
    return STATUS_PORT if any(one["port"] == STATUS_PORT for one in service["spec"]["ports"]) else 0


def node_port(service: dict[str, Any], port: int) -> int:
    """The node port of a port of the Service; 0 where it has none."""
    return int(next((one.get("nodePort") or 0 for one in service["spec"]["ports"] if one["port"] == port), 0))


def addresses_by_node(nodes: list[dict[str, Any]], with_pods: set[str], *, only: bool) -> list[tuple[str, ...]]:
    """Addresses of each node, those of nodes with one of the pods first.

    Args:
        only: of no other nodes: with `externalTrafficPolicy: Local` the others drop what comes to them.
    """
    named = [(node["metadata"]["name"] in with_pods, node) for node in nodes]
    chosen = sorted((one for one in named if one[0] or not only), key=lambda one: not one[0])
    return [node_addresses(node) for _, node in chosen]


def node_addresses(node: dict[str, Any]) -> tuple[str, ...]:
    """Addresses of a node, those outside the cluster first; there may be one of each family."""
    found = node.get("status", {}).get("addresses", ())
    return tuple(str(one["address"]) for kind in ("ExternalIP", "InternalIP") for one in found if one["type"] == kind)
