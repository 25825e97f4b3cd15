"""One request as the policies of a workload see it: what is known of it, and of what decided about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clients.kube.fields import kind_and_name
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.destination_rules import tls_mode
from clients.mesh.why.objects import WorkloadView
from clients.mesh.why.precedence import rule_of
from clients.mesh.why.reason import Effect
from clients.mesh.why.services import ServiceView, target_of
from clients.mesh.why.view import PolicyView

_FORBIDDEN = 403


@dataclass(frozen=True)
class Caller:
    """Who sends.

    Attributes:
        name: of its workload, for people.
        injected: it has a proxy; None where it is not known.
        direct: it dials a pod's own address, for which its proxy may know no identity.
    """

    name: str
    namespace: str
    account: str = "default"
    injected: bool | None = None
    direct: bool = False


@dataclass(frozen=True)
class RequestFacts:
    """What is known of a request.

    Attributes:
        method, path: empty where it is no HTTP request.
        port: of the container; None where it is not known.
        claims: of its token; an empty mapping without one; None where they are not known.
    """

    method: str = ""
    path: str = ""
    host: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    port: int | None = None
    claims: Mapping[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True)
class CaseView:
    """A request whose outcome is not the expected one, at one workload whose policies decide about it.

    Attributes:
        effect: how the outcome is wrong: `open` where it should have been refused.
        expected: status that was expected; None for a refusal without a response.
        observed: status that was seen; None for no response.
        entries: of the workload's proxy, about this request.
        outbound: the workload is the caller's own, whose proxy may refuse to send the request on.
        stage: (kind, namespace, name) of what the case's stage applied.
    """

    view: PolicyView
    workload: WorkloadView
    caller: Caller
    request: RequestFacts
    effect: Effect
    expected: int | None = None
    observed: int | None = None
    entries: tuple[AccessLogEntry, ...] = ()
    stage: frozenset[tuple[str, str, str]] = frozenset()
    outbound: bool = False

    @property
    def no_identity(self) -> str:
        """Why the caller shows no identity to the workload; empty where it shows one, or it is not known."""
        if self.caller.injected is False:
            return f"{self.caller.name} has no sidecar"
        if self.workload.bypasses(self.request.port):
            return f"port {self.request.port} of {self.workload} bypasses its proxy"
        return _disabled(self)

    @property
    def tcp(self) -> bool:
        """Whether a Service declares the port to be TCP, so that no rule can look at a request; not at a gateway."""
        return "tcp" in self._protocols

    @property
    def http(self) -> bool:
        """Whether the request is one of HTTP to a port that each Service declares to be so; not at a gateway."""
        return bool(self.request.method) and self._protocols == {"http"}

    @property
    def _protocols(self) -> set[str]:
        if self.workload.gateway:
            return set()
        ports = (port for one in self.view.services_of(self.workload) for port in one.ports)
        return {port.protocol for port in ports if target_of(port, self.workload) == self.request.port}

    @property
    def by_authorization(self) -> bool:
        """Whether an AuthorizationPolicy refuses as it was refused, or as it should have been.

        It answers HTTP with 403, and ends other connections. What an external authorization server says is not known.
        """
        status = self.expected if self.effect is Effect.OPEN else self.observed
        return not self.http if status is None else status == _FORBIDDEN

    @property
    def principal(self) -> str | None:
        """The caller's identity without trust domain (`ns/team/sa/app`); empty for none; None where it is not known."""
        if self.no_identity:
            return ""
        ends = (self.caller.injected, self.workload.injected)
        if (
            ends != (True, True)
            or self.caller.direct
            or self.view.destination_rules
            or "DestinationRule" not in self.view.known
        ):
            return None
        return f"ns/{self.caller.namespace}/sa/{self.caller.account}"


def _disabled(case: CaseView) -> str:
    """The DestinationRule by which the caller's proxy sends plain text to each Service that may be the request's."""
    found = [(one, rule_of(case.view, one, case.caller.namespace)) for one in _services(case)]
    plain = [body for service, body in found if body is not None and _is_plain(body, service, case)]
    return f"{kind_and_name(plain[0])} disables mutual TLS" if plain and len(plain) == len(found) else ""


def _services(case: CaseView) -> list[ServiceView]:
    """The Services in front of the workload that have the request's port."""
    port, there = case.request.port, case.view.services_of(case.workload)
    return [
        one for one in there if port is None or any(target_of(own, case.workload) in (port, None) for own in one.ports)
    ]


def _is_plain(body: Mapping[str, Any], service: ServiceView, case: CaseView) -> bool:
    """Whether a rule disables mutual TLS to each port of the Service that may be the request's."""
    port = case.request.port
    targets = {one.number: target_of(one, case.workload) for one in service.ports}
    modes = {tls_mode(body, number) for number, target in targets.items() if port is None or target in (port, None)}
    return modes == {"DISABLE"}
