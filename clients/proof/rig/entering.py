"""How clients outside the cluster reach its gateways, and what of their requests never came there."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import chain

from clients.apply.overlay import Overlay
from clients.kube.pods import SIDECAR
from clients.kube.port_forward import PortForward
from clients.model.outcome import Outcome, infrastructure
from clients.model.probe import Probe, Workload
from clients.probe import outside
from clients.probe.outside import OutsideClient
from clients.probe.request import Request
from clients.probe.way_in import WaysIn


class Entering:
    """For several threads.

    Args:
        roots: PEM of the authorities that clients outside trust.
    """

    def __init__(self, overlay: Overlay, ways_in: WaysIn, roots: str) -> None:
        self._overlay = overlay
        self._ways_in = ways_in
        self.roots = roots

    def address(self, source: OutsideClient, port: int) -> tuple[str, int]:
        """Address and port at which a client outside the cluster reaches its gateway; of several, the next.

        Raises:
            InfrastructureError: no way leads to the gateway's Service.
        """
        return self._ways_in.find(*self._service(source), port, direct=source.gateway.container != SIDECAR)

    def is_forwarded(self, probe: Probe) -> bool:
        """Whether its client reaches the gateway by a port that the API server forwards.

        Raises:
            InfrastructureError: no way leads to the gateway's Service.
        """
        if not isinstance(probe.source, OutsideClient):
            return False
        return self._ways_in.forward_to(self.address(probe.source, outside.port_of(probe.url))) is not None

    def wait_open(self, sources: Iterable[Workload], timeout_s: float) -> None:
        """Wait until load balancers lead to the gateways of these clients outside the cluster, for at most so long."""
        deadline = time.monotonic() + timeout_s
        for source in {one for one in sources if isinstance(one, OutsideClient)}:
            self._ways_in.wait_open(*self._service(source), deadline)

    def send(self, source: OutsideClient, requests: list[Request], *, parallel: bool) -> list[Outcome]:
        """One outcome per request, in order; each to the gateway's next address.

        Raises:
            InfrastructureError: no way leads to the gateway's Service.
        """
        batches: dict[tuple[str, int], list[Request]] = {}
        for request in requests:
            batches.setdefault(self.address(source, outside.port_of(request.url)), []).append(request)
        sent = (self._sent_to(to, batch, parallel=parallel) for to, batch in batches.items())
        by_id = {outcome.request_id: outcome for outcome in chain.from_iterable(sent)}
        return [by_id[request.request_id] for request in requests]

    def forget(self) -> None:
        """Look everything up again: after a change to the workloads themselves."""
        self._ways_in.forget()

    def _sent_to(self, to: tuple[str, int], requests: list[Request], *, parallel: bool) -> list[Outcome]:
        forward = self._ways_in.forward_to(to)
        outcomes = outside.send(requests, to, roots=self.roots, parallel=parallel)
        return [carried(one, forward) for one in outcomes] if forward else outcomes

    def _service(self, source: OutsideClient) -> tuple[str, str]:
        """Name of the gateway's Service, and its namespace."""
        return source.service or source.gateway.app, self._overlay.namespace(source.gateway.namespace)


def carried(outcome: Outcome, forward: PortForward) -> Outcome:
    """The outcome by a forwarded port: a gateway that a connection did not come to, or stay with, has not answered."""
    why = forward.failure(outcome.local_address)
    whole = outcome.status is not None and outcome.exit_code == 0
    return infrastructure(outcome.request_id, why) if why and not whole else outcome
