"""The proxies that a request has to pass: the gateway that it enters by, and the sidecars of its server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from clients.apply.item import Item
from clients.kube.cluster import Cluster
from clients.kube.fields import label_selector, spec_of
from clients.kube.pods import SIDECAR, SIDECARS_USER, Pod
from clients.model.probe import Probe, Workload
from clients.probe.outside import OutsideClient, port_of
from clients.proof.rig.rig import Rig

_HTTP = frozenset({"http", "http2", "grpc", "grpc-web"})
"""Protocols of a Service's port that Istio takes for HTTP, by its name or `appProtocol` (Protocol Selection)."""
_GATEWAY = "<gateway>"
"""The egress gateway's Service (see `Workloads.named`)."""
_EXCLUDES = "traffic.sidecar.istio.io/excludeOutbound"
_PLAIN = frozenset({"http", "grpc", "ws"})
"""Schemes of URLs whose requests a proxy can read."""


@dataclass(frozen=True)
class Server:
    """Proxies with one configuration: the pods behind a Service, or those of a gateway.

    Attributes:
        namespace: by its real name; `name` is `namespace/app` by the documents' names.
        selector: labels that select its pods.
        labels: all labels of one of its pods.
        port: the pods' port that the request comes to; 0 where it is not known to carry HTTP.
        gateway: it only forwards requests.
    """

    namespace: str
    name: str
    selector: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    port: int
    gateway: bool

    @property
    def key(self) -> tuple[object, ...]:
        """The same for all ports of the same pods."""
        return self.namespace, self.selector


class Servers:
    """Finds them, each once: one for a stage, because a stage may scale or replace pods.

    Args:
        in_force: the stage's objects, whose routes lead requests to the egress gateway.
    """

    def __init__(self, rig: Rig, in_force: Iterable[Item]) -> None:
        self._rig = rig
        self._routed = _through_gateway(in_force, rig.overlay.namespace(rig.gateway.namespace))
        self._gateways: list[Pod] | None = None
        self._redirected: dict[Workload, bool] = {}
        self._known: dict[tuple[str, str, int], Server | None] = {}

    def of(self, probe: Probe) -> tuple[Server, ...]:
        """Those with a proxy, in the order in which the request comes to them.

        Raises:
            ClusterError: the cluster does not answer.
        """
        parts = urlsplit(probe.url)
        port = port_of(probe.url)
        found = []
        if isinstance(probe.source, OutsideClient):
            gateway = probe.source.gateway
            service = probe.source.service or gateway.app
            found.append(self._service(service, self._rig.overlay.namespace(gateway.namespace), port))
            if probe.behind:
                found.append(self._service(*self._split(probe.behind, probe), 80))
        elif (host := self._rig.workloads.connect_host(probe)) == self._rig.workloads.named(_GATEWAY):
            found.append(self._egress(readable=False))
        elif host in self._routed:
            found += [self._egress(readable=parts.scheme in _PLAIN)] if self.by_sidecar(probe.source) else []
        elif probe.behind and "." in (door := replace(probe, behind="").destination):  # a gateway, which a pod dials
            found.append(self._service(*self._split(door, probe), port))
            found.append(self._service(*self._split(probe.behind, probe), 80))
        elif "." in host:
            found.append(self._service(*self._split(host, probe), port))
        return tuple(server for server in found if server)

    def by_sidecar(self, source: Workload) -> bool:
        """Whether what this client sends goes out through its sidecar."""
        if source not in self._redirected:
            pods = [pod for pod in self._rig.workloads.pods(source) if pod.injected]
            self._redirected[source] = bool(pods) and is_redirected(self._rig.cluster, pods[0], source.container)
        return self._redirected[source]

    def _split(self, host: str, probe: Probe) -> tuple[str, str]:
        name, _, rest = self._rig.overlay.host(host).partition(".")
        return name, rest.partition(".")[0] or self._rig.overlay.namespace(probe.source.namespace)

    def _egress(self, *, readable: bool) -> Server | None:
        if self._gateways is None:
            self._gateways = self._rig.workloads.gateway_pods()
        gateway, pods = self._rig.gateway, self._gateways
        if not pods:
            return None
        name, _, label = gateway.label.partition("=")
        where = self._rig.overlay.namespace(gateway.namespace)
        labels, shown = tuple(sorted(pods[0].labels.items())), f"{gateway.namespace}/{gateway.service}"
        return Server(where, shown, ((name, label),), labels, gateway.http_port if readable else 0, True)

    def _service(self, name: str, namespace: str, port: int) -> Server | None:
        key = (name, namespace, port)
        if key not in self._known:
            self._known[key] = self._look(*key)
        return self._known[key]

    def _look(self, name: str, namespace: str, port: int) -> Server | None:
        cluster = self._rig.cluster
        if namespace not in map(self._rig.overlay.namespace, self._rig.overlay.namespaces):
            return None  # not one of this run, so nothing may be added to it
        spec = spec_of(cluster.get("v1", "Service", name, namespace) or {})
        selector = spec.get("selector") or {}
        if not selector:
            return None
        found = cluster.pods(namespace, label_selector(selector))
        injected = [pod for pod in found if pod.injected]
        pods = [pod for pod in injected if pod.ready] or injected  # one that is not ready for a moment decides as well
        if not pods:
            return None
        ports = spec.get("ports", ())
        stated = [one for one in ports if one["port"] == port or len(ports) == 1]  # a gateway may call another port
        number = self._target(stated[0], pods[0]) if stated else 0
        if pods[0].past_sidecar & {"*", str(number)}:
            return None  # what comes to this port does not pass the sidecar
        shown = f"{self._rig.overlay.plain(f'{name}.{namespace}').partition('.')[2]}/{pods[0].labels.get('app', name)}"
        where = tuple(sorted(selector.items()))
        return Server(namespace, shown, where, tuple(sorted(pods[0].labels.items())), number, pods[0].is_gateway)

    def _target(self, port: dict[str, Any], pod: Pod) -> int:
        """Number of the pods' port; 0 where the Service does not say that it carries HTTP."""
        protocol = str(port.get("appProtocol") or port.get("name") or "").rpartition("/")[2]
        if protocol not in _HTTP and protocol.partition("-")[0] not in _HTTP:
            return 0
        target = port.get("targetPort", port["port"])
        if isinstance(target, int):
            return target
        body = self._rig.cluster.get("v1", "Pod", pod.name, pod.namespace) or {}
        ports = [one for container in body["spec"]["containers"] for one in container.get("ports", ())] if body else []
        return next((int(one["containerPort"]) for one in ports if one.get("name") == target), 0)


def _through_gateway(items: Iterable[Item], namespace: str) -> frozenset[str]:
    """Hosts that a route leads through a gateway of this namespace."""
    routes = (item.body["spec"] for item in items if item.kind == "VirtualService")
    return frozenset(
        host
        for spec in routes
        if any(gateway.startswith(f"{namespace}/") for gateway in spec.get("gateways", ()))
        for host in spec.get("hosts", ())
    )


def is_redirected(cluster: Cluster, pod: Pod, container: str) -> bool:
    """Whether what a container of an injected pod sends goes through the sidecar.

    Not so for the sidecar's own user, nor where an annotation excludes traffic (Istio, Resource Annotations).
    """
    body = cluster.get("v1", "Pod", pod.name, pod.namespace) or {}
    if any(name.startswith(_EXCLUDES) for name in body.get("metadata", {}).get("annotations") or {}):
        return False
    spec = body.get("spec", {})
    found = [one for one in spec.get("containers", ()) if one["name"] == container]
    contexts = [one.get("securityContext") or {} for one in (*found, spec)]
    user = next((one["runAsUser"] for one in contexts if "runAsUser" in one), None)
    return container != SIDECAR and (user != SIDECARS_USER or container in pod.not_past)


def past_sidecar(rig: Rig, probe: Probe, pods: Iterable[Pod]) -> bool:
    """Whether a request comes to a port of these pods, behind its destination, that is kept out of their sidecars."""
    return any(pod.past_sidecar for pod in pods) and not Servers(rig, ()).of(probe)
