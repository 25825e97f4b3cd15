"""What callers' proxies know of servers: DestinationRules and ServiceEntries that do not do what they seem to.

Source: istio.io, "Destination Rule" (a host without dots is of the rule's own namespace; `insecureSkipVerify`) and
"Service Entry" (`resolution: NONE` goes where the client has dialled); the rest was seen on the embedded cluster
(`suites/traps/`).
"""

from __future__ import annotations

from collections.abc import Iterator

from clients.kube.fields import kind_and_name, namespace_of, spec_of
from clients.mesh.destination_rules import tls_mode, tls_settings
from clients.mesh.why.objects import Json, WorkloadView
from clients.mesh.why.peers import mode_at
from clients.mesh.why.precedence import rule_of
from clients.mesh.why.reason import EITHER, OPEN, Effect, Reason, named
from clients.mesh.why.services import ServiceView, service_named, target_of
from clients.mesh.why.view import PolicyView

_STARTS_TLS = frozenset({"SIMPLE", "MUTUAL"})
_ANYWHERE = EITHER | {Effect.BROKEN}


def server_not_verified(view: PolicyView) -> list[Reason]:
    """A DestinationRule starts TLS and accepts any certificate of the server (`insecureSkipVerify`)."""
    return [
        _of(body, f"starts TLS to {_host(body)} and accepts any certificate (insecureSkipVerify)", OPEN)
        for body in view.destination_rules
        if any(tls.get("insecureSkipVerify") and tls.get("mode") in _STARTS_TLS for tls in tls_settings(body))
    ]


def plain_text_to_strict(view: PolicyView) -> list[Reason]:
    """A DestinationRule disables mutual TLS to a workload that demands it: every call ends with 503."""
    return [
        Reason(
            f"{kind_and_name(body)} sends plain text to port {port.number} of Service {service}, and mutual TLS at "
            f"{workload} is {mode}: every call ends with 503",
            frozenset({Effect.BROKEN}),
            None,
            frozenset({workload}),
            frozenset({target}),
        )
        for body, service, workload in _served(view)
        for port in service.ports
        if tls_mode(body, port.number) == "DISABLE"
        and (target := target_of(port, workload))
        and (mode := mode_at(view, workload, target)) is not None
        and mode.mode == "STRICT"
        and workload.injected is not False
        and not workload.bypasses(target)
    ]


def mutual_tls_to_no_proxy(view: PolicyView) -> list[Reason]:
    """A DestinationRule demands mutual TLS to a workload without a proxy: every call ends with 503."""
    found: dict[str, Reason] = {}
    for body, service, workload in _served(view):
        modes = {tls_mode(body, port.number) for port in service.ports}
        if workload.injected is False and modes == {"ISTIO_MUTUAL"}:
            text = f"{kind_and_name(body)} demands mutual TLS to Service {service}, and {workload} has no sidecar: 503"
            found.setdefault(text, Reason(text, frozenset({Effect.BROKEN}), None, frozenset({workload})))
    return list(found.values())


def short_host(view: PolicyView) -> list[Reason]:
    """A DestinationRule names a host without dots, which no Service of its own namespace has."""
    if "Service" not in view.known:
        return []
    found = []
    for body in view.destination_rules:
        host = _host(body)
        others = [one for one in view.services if one.name == host]
        if "." not in host and others and not _service(view, body):
            where = f"is for {host} of {namespace_of(body)}, where there is no such Service; {named(others)} is another"
            found.append(_of(body, where, _ANYWHERE))
    return found


def entry_for_every_address(view: PolicyView) -> list[Reason]:
    """A ServiceEntry has a TCP port and no address: it takes every connection to that port, whatever its name."""
    found = []
    for body in view.service_entries:
        if _has_own_addresses(view, body):
            continue
        hosts = named(spec_of(body).get("hosts") or ())
        for port in spec_of(body).get("ports") or ():
            if str(port.get("protocol")).upper() == "TCP" and not spec_of(body).get("addresses"):
                what = f"has TCP port {port.get('number')} and no address: every connection to that port"
                found.append(_of(body, f"{what}, whatever its name, is one to {hosts}", OPEN | {Effect.BROKEN}))
    return found


def _has_own_addresses(view: PolicyView, body: Json) -> bool:
    """Whether Istio gives its hosts addresses, by which each proxy that is known of tells connections apart.

    Source: istio.io, "DNS Proxying": not for a wildcard, nor without resolution.
    """
    wild = any(str(host).startswith("*") for host in spec_of(body).get("hosts") or ())
    sidecars = [one for one in view.workloads if one.injected and not one.gateway]
    resolved = str(spec_of(body).get("resolution") or "NONE") != "NONE"
    return resolved and not wild and bool(sidecars) and all(one.captures_dns for one in sidecars)


def dialled_address(view: PolicyView) -> list[Reason]:
    """A ServiceEntry for a wildcard goes to the address that the client dialled, whatever answers there."""
    found = []
    for body in view.service_entries:
        wild = [host for host in spec_of(body).get("hosts") or () if str(host).startswith("*")]
        if wild and str(spec_of(body).get("resolution") or "NONE") == "NONE":
            what = f"lets {named(wild)} go to whatever address the client has dialled (resolution NONE)"
            found.append(_of(body, f"{what}: the name says nothing about the server", OPEN))
    return found


def _served(view: PolicyView) -> Iterator[tuple[Json, ServiceView, WorkloadView]]:
    """DestinationRules that count for some callers of a Service, with each Service's workloads."""
    for body in view.destination_rules:
        service, namespace = _service(view, body), namespace_of(body)
        caller = "" if namespace == view.root else namespace
        if service is not None and rule_of(view, service, caller) is body:
            yield from ((body, service, one) for one in view.workloads if service.serves(one))


def _service(view: PolicyView, body: Json) -> ServiceView | None:
    return service_named(_host(body), namespace_of(body), view.services)


def _host(body: Json) -> str:
    return str(spec_of(body).get("host") or "")


def _of(body: Json, text: str, effects: frozenset[Effect]) -> Reason:
    about = (str(body["kind"]), namespace_of(body), str(body["metadata"]["name"]))
    return Reason(f"{kind_and_name(body)} {text}", effects, about=about)
