"""Which markers a change needs, and by which request each is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clients.apply import marker_objects
from clients.apply.item import Item
from clients.kube.pods import addresses_of
from clients.model.addresses import joined, split
from clients.model.api_groups import GATEWAY_API, ISTIO_EXTENSIONS, ISTIO_NETWORKING, ISTIO_SECURITY, ISTIO_TELEMETRY
from clients.model.case import Case
from clients.model.expect import RBAC_DENIED, Expectation, body_contains, grpc, status
from clients.model.marker import MarkerRecord, MarkerState
from clients.model.outcome import OutcomeKind
from clients.model.probe import Probe, Workload
from clients.probe.outside import OutsideClient
from clients.proof.rig.rig import Rig
from clients.proof.stage.servers import Server, Servers

NOWHERE, NOWHERE_BY_6 = "198.51.100.254", "2001:db8::fe"
"""Dialled for a host that the client's own sidecar answers; nothing else does (RFC 5737, TEST-NET-2; RFC 3849). A pod
that has addresses of IPv6 alone has no route to the first, so that its connection never comes to the sidecar."""
UNANSWERED_S = 2.0
"""Time limit of such a request: until the marker is in force the sidecar tries to connect there."""
_PERMISSION_DENIED = 7
"""gRPC's status of a request that a policy refuses."""

_ROUTING = (ISTIO_NETWORKING, GATEWAY_API)
_POLICY = (ISTIO_SECURITY, ISTIO_TELEMETRY, ISTIO_EXTENSIONS)
_INBOUND_KINDS = frozenset({"Sidecar", "EnvoyFilter"})
"""Kinds of the group of routes that change how a sidecar takes requests in."""


@dataclass(frozen=True)
class Allowed:
    """A request that is let through in the state: with the marker's word in its header it is refused instead."""

    probe: Probe
    expect: Expectation


@dataclass(frozen=True)
class Look:
    """How a marker is seen.

    Attributes:
        name: of the place, for people.
        client: the workload whose sidecar alone answers; None where a server refuses.
        plain: the same request without the marker's word, which is let through.
    """

    name: str
    probe: Probe
    expect: Expectation
    client: Workload | None = None
    plain: Allowed | None = None

    def needed(self, rig: Rig) -> int:
        """Confirmations: of the path to the server, or of the client's own sidecars."""
        if self.client is None:
            return rig.certainty.required_confirmations(self.probe)
        return rig.certainty.confirmations_at(rig.workloads.pods(self.client))


class MarkerPlan:
    """Which markers a change needs, and where each is seen."""

    def __init__(self, rig: Rig, touched: Sequence[Item], in_force: Sequence[Item], allowed: list[Allowed]) -> None:
        self._rig = rig
        self._servers = Servers(rig, in_force)
        self._scopes = {item.namespace: item for item in in_force if item.kind == "Sidecar"}
        self._routing = any(_of(item, _ROUTING) for item in touched)
        # wherever the policy is: that it has no effect elsewhere is known only after it has come there too
        self._inbound = any(_of(item, _POLICY) or item.kind in _INBOUND_KINDS for item in touched)
        self._allowed = self._by_server(allowed)
        self._hosts: dict[str, tuple[str, str]] = {}
        self.items: list[Item] = []
        self.looks: dict[object, Look] = {}
        self.without: dict[object, MarkerRecord] = {}

    def places_of(self, case: Case) -> list[object]:
        """Where the case's outcome is decided by proxies that get the change; plans the marker of each, once."""
        if case.expect.kinds == {OutcomeKind.DNS}:
            return []  # no proxy is asked before the name has an address
        places: list[object] = [
            self._at_server(server)
            for server in self._servers.of(case.probe)
            if self._inbound or (server.gateway and self._routing)
        ]
        source = case.probe.source
        if self._routing and not isinstance(source, OutsideClient) and self._servers.by_sidecar(source):
            places.append(self._at_client(source))
        return places

    def _by_server(self, allowed: list[Allowed]) -> dict[tuple[object, int], list[Allowed]]:
        found: dict[tuple[object, int], list[Allowed]] = {}
        for one in allowed:
            for turn, server in enumerate(self._servers.of(one.probe)):
                if turn == 0 or _by_the_last(one):
                    found.setdefault((server.key, server.port), []).append(one)
        return found

    def _at_server(self, server: Server) -> object:
        place = server.key
        if place in self.looks or place in self.without:
            return place
        usable = [(port, one) for (key, port), ones in self._allowed.items() if key == place and port for one in ones]
        if not usable:
            why = "no request to it by HTTP that is let through in this state, and could show a marker"
            self.without[place] = unavailable(server.name, why)
            return place
        port, one = min(usable, key=lambda pair: self._effort(pair[1]))
        word = marker_objects.value()
        selector, labels = dict(server.selector), dict(server.labels)
        self.items.append(marker_objects.refusal(self._rig.overlay, server.namespace, selector, labels, port, word))
        marked = replace(one.probe, headers=(*one.probe.headers, (marker_objects.HEADER, word)))
        self.looks[place] = Look(server.name, marked, _refused(one.probe), plain=one)
        return place

    def _effort(self, one: Allowed) -> tuple[bool, ...]:
        """No preflights where there is anything else; plain requests; of clients whose requests may run in parallel.

        The last choice is a body by HTTP/2: curl may drop the answer that refuses it (`clients.probe.answer`).
        """
        probe, outside = one.probe, isinstance(one.probe.source, OutsideClient)
        by_sidecar = not outside and self._servers.by_sidecar(probe.source)
        plain = probe.url.startswith("http:")
        return probe.method == "OPTIONS", probe.http2 and bool(probe.body), not plain, by_sidecar, outside

    def _at_client(self, source: Workload) -> object:
        place = (source.namespace, source.app)
        if place in self.looks or place in self.without:
            return place
        name, namespace = f"sidecars of {source.namespace}/{source.app}", self._rig.overlay.namespace(source.namespace)
        if (scope := self._scopes.get(namespace)) and not _imports(scope, namespace):
            why = f"{scope} does not import its own namespace, where the marker would be"
            self.without[place] = unavailable(name, why)
            return place
        if namespace not in self._hosts:
            word = marker_objects.value()
            items, authority = marker_objects.answer(self._rig.overlay, namespace, word)
            self.items += items
            self._hosts[namespace] = (authority, word)
        authority, word = self._hosts[namespace]
        own = addresses_of(self._rig.workloads.pods(source))
        dial = joined(NOWHERE_BY_6 if own and all(":" in one for one in own) else NOWHERE, split(authority)[1])
        probe = Probe(source, f"http://{authority}/", resolve=dial, timeout_s=UNANSWERED_S)
        self.looks[place] = Look(name, probe, status(200, body_contains(word)), client=source)
        return place


def by_proxies(item: Item) -> bool:
    """Whether it is the mesh's proxies that enforce this object."""
    return _of(item, (*_ROUTING, *_POLICY))


def _of(item: Item, groups: tuple[str, ...]) -> bool:
    return item.api_version.partition("/")[0] in groups


def _refused(probe: Probe) -> Expectation:
    """The outcome of a request that the marker's policy refuses."""
    if probe.url.startswith(("grpc:", "grpcs:")):
        return grpc(_PERMISSION_DENIED)
    return status(403) if probe.method == "HEAD" else status(403, body_contains(RBAC_DENIED))


def _by_the_last(one: Allowed) -> bool:
    """Whether the server behind a gateway answers; a gateway itself answers preflights, redirects and lost routes."""
    return one.probe.method != "OPTIONS" and one.expect.status == 200


def _imports(scope: Item, namespace: str) -> bool:
    """Whether a Sidecar lets its proxies see what is in their own namespace."""
    listeners = scope.body.get("spec", {}).get("egress") or [{"hosts": ["*/*"]}]
    return all(any(host in ("./*", "*/*", f"{namespace}/*") for host in one.get("hosts", ())) for one in listeners)


def unavailable(place: str, why: str) -> MarkerRecord:
    """The record of a place that has no marker."""
    return MarkerRecord(place, MarkerState.UNAVAILABLE, why)
