"""Services as the detectors see them, and the container's port behind a Service's port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from clients.kube.fields import spec_of
from clients.mesh.why.objects import Json, WorkloadView
from clients.model.cluster_domain import service_of

_HTTP = frozenset({"http", "http2", "http_proxy", "grpc", "grpc-web", "kubernetes.io/h2c", "kubernetes.io/ws"})
_TCP = frozenset({"tcp", "tls", "https", "mongo", "mysql", "redis"})
"""Protocols by which Istio handles a port as TCP (istio.io, "Protocol Selection"): of TLS it sees no request."""


@dataclass(frozen=True)
class ServicePort:
    """One port of a Service.

    Attributes:
        target: port of the container, by number or by name.
        protocol: `http`, `tcp`; empty where the proxies detect it.
    """

    number: int
    target: int | str
    name: str = ""
    protocol: str = ""


@dataclass(frozen=True)
class ServiceView:
    """A Service with its selector."""

    namespace: str
    name: str
    selector: Mapping[str, str] = field(default_factory=dict, hash=False)
    ports: tuple[ServicePort, ...] = ()

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def serves(self, workload: WorkloadView) -> bool:
        """Whether the workload's pods are behind it."""
        return bool(self.selector) and workload.namespace == self.namespace and workload.has(self.selector)

    @classmethod
    def from_json(cls, body: Json) -> ServiceView:
        """The Service of an API object or of a manifest."""
        meta, spec = body["metadata"], spec_of(body)
        ports = [port for port in spec.get("ports") or () if str(port.get("protocol") or "TCP") == "TCP"]
        return cls(
            namespace=str(meta.get("namespace") or "default"),
            name=str(meta["name"]),
            selector=dict(spec.get("selector") or {}),
            ports=tuple(
                ServicePort(
                    number=int(port["port"]),
                    target=port.get("targetPort") or int(port["port"]),
                    name=str(port.get("name") or ""),
                    protocol=_protocol(str(port.get("name") or ""), str(port.get("appProtocol") or "")),
                )
                for port in ports
            ),
        )


def service_named(host: str, namespace: str, services: Iterable[ServiceView]) -> ServiceView | None:
    """The Service that a DestinationRule's host means: by its full name, or by a short one; None for none of these.

    Args:
        namespace: of the rule; a host without dots is a Service of that namespace (istio.io, "Destination Rule").
    """
    wanted = service_of(host) if "." in host else f"{host}.{namespace}"
    return next((one for one in services if f"{one.name}.{one.namespace}" == wanted), None)


def target_of(port: ServicePort, workload: WorkloadView) -> int | None:
    """The container's port behind a Service's port; None where a name is not declared."""
    return port.target if isinstance(port.target, int) else _numbered(port.target, workload)


def _numbered(name: str, workload: WorkloadView) -> int | None:
    return int(name) if name.isdigit() else workload.ports.get(name)


def _protocol(name: str, app_protocol: str) -> str:
    """`http` or `tcp`, by the rules of istio.io, "Protocol Selection"; empty where it is detected."""
    stated = (app_protocol or name.split("-", 1)[0]).lower()
    if not app_protocol and name.lower().startswith("grpc-web"):
        stated = "grpc-web"
    return "http" if stated in _HTTP else "tcp" if stated in _TCP else ""
