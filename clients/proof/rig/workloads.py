"""The pods that requests come from and go to, found by the documents' names."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from clients.apply.overlay import Overlay
from clients.kube.cluster import Cluster
from clients.kube.fields import label_selector, spec_of
from clients.kube.pods import SIDECAR, SIDECARS_USER, Pod, RunningImage
from clients.kube.recent import Recent
from clients.mesh import sidecar
from clients.mesh.egress_gateway import EgressGateway
from clients.mesh.external_hosts import ExternalHosts
from clients.model.addresses import host_of
from clients.model.errors import ClusterError, InfrastructureError
from clients.model.probe import Probe, Workload
from clients.probe.outside import OutsideClient
from clients.proof.rig.ready_pods import Key, ReadyPods, key_of

SERVICE_SHARED_S, PODS_SHARED_S = 1.0, 0.25
"""How long the cases of a stage, which ask at the same time, share an answer about a Service and about its pods. A
replica that appears is noticed within the shortest window of a convergence."""


class Workloads:
    """Looks pods up, and keeps those of clients until `forget`. May be used from several threads.

    Args:
        external: hosts outside the cluster; None where the target has none.
        gateway: the egress gateway that suites route through.

    Attributes:
        images: of all pods that were found ready so far.
        stated: by namespace and labels, the containers that manifests state for a pod; a cluster may add others.
        forgotten_at: monotonic seconds of the last `forget`: the run itself may have replaced pods before.
    """

    def __init__(
        self, cluster: Cluster, overlay: Overlay, external: ExternalHosts | None, gateway: EgressGateway
    ) -> None:
        self._cluster = cluster
        self._overlay = overlay
        self._external = external
        self._gateway = gateway
        self._clients: dict[Workload, list[Pod]] = {}
        self._threads: dict[Pod, int] = {}
        self._services: Recent[dict[str, Any] | None] = Recent(SERVICE_SHARED_S)
        self._pods: Recent[list[Pod]] = Recent(PODS_SHARED_S)
        self._were_ready = ReadyPods()
        self.images: set[RunningImage] = set()
        self.stated: Callable[[str, Mapping[str, str]], frozenset[str]] = lambda _, __: frozenset()
        self.forgotten_at = time.monotonic()
        self._stated: dict[Key, frozenset[str]] = {}
        self._lock = threading.RLock()  # guards what is looked up once

    def pods(self, workload: Workload) -> list[Pod]:
        """Ready pods of a workload, by name; of its gateway, for a client outside the cluster.

        Where the workload's container is an init container, its pods are those in which that container runs now.

        Raises:
            InfrastructureError: there is none, or the cluster does not answer.
        """
        workload = workload.gateway if isinstance(workload, OutsideClient) else workload
        with self._lock:
            known = self._clients.get(workload)
            if known is None:
                known = self._clients[workload] = self._ready_pods(workload)
            return known

    def _ready_pods(self, workload: Workload) -> list[Pod]:
        namespace = self._overlay.namespace(workload.namespace)
        try:
            pods = self._cluster.pods(namespace, f"app={workload.app}")
            found = [pod for pod in pods if pod.ready or workload.container in pod.initializing]
        except ClusterError as error:
            raise InfrastructureError(error.message, error.hint) from None
        if not found:
            raise InfrastructureError(f"no ready pod app={workload.app} in {namespace}")
        if workload.container in found[0].not_past:
            why = f"{workload.container} of {found[0]} runs as {SIDECARS_USER}, and its proxy as another user here"
            raise InfrastructureError(f"{why}: its requests do not pass the proxy by")
        return self._seen(found)

    def backends(self, probe: Probe) -> list[Pod]:
        """Ready pods behind the Service that the probe dials; empty when there is none or it is not a Service."""
        namespace, service = self._service(probe)
        selector = spec_of(service or {}).get("selector") or {}
        if not selector:
            return []
        return self._ready(namespace, label_selector(selector))

    def door(self, probe: Probe) -> list[Pod]:
        """Ready pods of the gateway that a client inside the cluster dials; empty where it dials the Service itself."""
        inside = probe.behind and not isinstance(probe.source, OutsideClient)
        return self.backends(replace(probe, behind="")) if inside else []

    def target_port(self, probe: Probe) -> int:
        """Port of the container that the probe reaches, by a Service or directly; 0 where its number is not known.

        Raises:
            ClusterError: the cluster does not answer.
        """
        wanted = urlsplit(probe.url).port or 80
        if probe.dial:
            return wanted
        service = self._service(probe)[1] or {}
        ports = (one for one in service.get("spec", {}).get("ports") or () if one["port"] == wanted)
        found = next((one.get("targetPort", wanted) for one in ports), 0)
        return found if isinstance(found, int) else 0

    def service_addresses(self, probe: Probe) -> frozenset[str]:
        """Addresses of the Service itself that the probe dials; empty for one without, and where there is none.

        Raises:
            ClusterError: the cluster does not answer.
        """
        return frozenset(spec_of(self._service(probe)[1] or {}).get("clusterIPs") or ()) - {"None"}

    def is_service(self, probe: Probe) -> bool:
        """Whether the probe dials a Service, with or without pods."""
        return self._service(probe)[1] is not None

    def _service(self, probe: Probe) -> tuple[str, dict[str, Any] | None]:
        """Namespace of the Service that the probe dials, and the Service; None where it is no Service."""
        name, _, rest = self._overlay.host(self.connect_host(probe)).partition(".")
        namespace = rest.partition(".")[0] or self._overlay.namespace(probe.source.namespace)
        look = self._services.get((namespace, name), lambda: self._cluster.get("v1", "Service", name, namespace))
        return namespace, look

    def connect_host(self, probe: Probe) -> str:
        """Host that the probe connects to, by the documents' names."""
        return host_of(self.named(probe.resolve)) or probe.destination

    def named(self, address: str) -> str:
        """The address with `<gateway>` replaced by the name of the gateway's Service."""
        return address.replace("<gateway>", f"{self._gateway.service}.{self._gateway.namespace}.svc.cluster.local")

    def gateway_pods(self) -> list[Pod]:
        """Ready pods of the egress gateway; empty where none is deployed."""
        namespace = self._overlay.namespace(self._gateway.namespace)
        return self._ready(namespace, self._gateway.label)

    def _ready(self, namespace: str, labels: str) -> list[Pod]:
        found = self._pods.get((namespace, labels), lambda: self._cluster.pods(namespace, labels))
        ready = self._seen([pod for pod in found if pod.ready])
        wanted = [one.partition("=") for one in labels.split(",")]
        if all(equals for _, equals, _ in wanted):  # a selector of another form is that of a user's own gateway
            self._were_ready.only(namespace, {key: value for key, _, value in wanted}, ready)
        return ready

    def _seen(self, pods: list[Pod]) -> list[Pod]:
        self.images.update(image for pod in pods for image in pod.images)
        own = [self._own(pod) for pod in pods]
        self._were_ready.found(pod for pod in own if pod.ready)
        return own

    def _own(self, pod: Pod) -> Pod:
        own = self._stated.get(key_of(pod)) or self.stated(pod.namespace, pod.labels)
        self._stated[key_of(pod)] = own
        return replace(pod, containers=tuple(one for one in pod.containers if not own or one in (*own, SIDECAR)))

    def gone(self, probe: Probe, since: float) -> dict[Pod, float]:
        """Pods that a probe passes or reaches, and that were ready until some time after monotonic `since`.

        Each with the monotonic time at which it was last found ready.

        Raises:
            ClusterError: the cluster does not answer.
        """
        found: dict[Pod, float] = {}
        for namespace, labels in self.selectors(probe):
            self._ready(namespace, label_selector(labels))
            found |= self._were_ready.gone(namespace, labels, since)
        return found

    def new_doors(self, probe: Probe) -> list[Pod]:
        """Ready pods of the gateway that a client outside the cluster enters by, and that were not known before.

        Raises:
            MeshproofError: they cannot be listed.
        """
        if not isinstance(probe.source, OutsideClient):
            return []
        gateway = probe.source.gateway
        known = {key_of(pod) for pod in self.pods(gateway)}
        ready = self._ready(self._overlay.namespace(gateway.namespace), f"app={gateway.app}")
        if new := [pod for pod in ready if key_of(pod) not in known]:
            self.forget_client(gateway)
        return new

    def seen_ready(self, namespace: str, labels: Mapping[str, str], since: float) -> list[Pod]:
        """Pods with these labels that were found ready at some time after monotonic `since`; they may be gone."""
        return self._were_ready.since(namespace, labels, since)

    def selectors(self, probe: Probe) -> list[tuple[str, dict[str, str]]]:
        """Namespace and labels of the pods that a probe passes or reaches, besides its own client's.

        Raises:
            ClusterError: the cluster does not answer.
        """
        namespace, service = self._service(probe)
        found = [(namespace, dict(spec_of(service or {}).get("selector") or {}))]
        gateways = [probe.source.gateway] if isinstance(probe.source, OutsideClient) else []
        found += [(self._overlay.namespace(one.namespace), {"app": one.app}) for one in gateways]
        if probe.behind and not gateways:
            door = self._service(replace(probe, behind=""))
            found.append((door[0], dict(spec_of(door[1] or {}).get("selector") or {})))
        if self._external is not None and self._external.knows(self.connect_host(probe)):
            label, _, value = self._gateway.label.partition("=")
            found.append((self._overlay.namespace(self._gateway.namespace), {label: value}))
        return [one for one in found if one[1]]

    def egress_pods_for(self, probe: Probe) -> list[Pod]:
        """Pods of the gateway, for a probe towards an external host; empty for any other."""
        external = self._external is not None and self._external.knows(self.connect_host(probe))
        return self.gateway_pods() if external else []

    def replicas(self, probe: Probe) -> int:
        """Number of ready pods behind the probe's destination; at least 1."""
        return max(1, len(self.backends(probe)))

    def worker_threads(self, pod: Pod) -> int:
        """Worker threads of the pod's sidecar; 1 for a pod without one.

        Raises:
            InfrastructureError: the sidecar does not answer.
        """
        with self._lock:
            if pod not in self._threads:
                self._threads[pod] = sidecar.concurrency(self._cluster, pod)
            return self._threads[pod]

    def forget_client(self, workload: Workload) -> None:
        """Look this client's pods up again: one of them may have been replaced."""
        self._clients.pop(workload, None)

    def forget(self) -> None:
        """Look everything up again: after a change to the workloads themselves."""
        self.forgotten_at = time.monotonic()
        self._were_ready.forget()
        self._clients, self._threads, self._stated = {}, {}, {}
        self._services.forget()
        self._pods.forget()
