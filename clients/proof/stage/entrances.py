"""The ways in that a stage needs are there before its change, and show what its cases are about."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from clients.mesh.capabilities.capabilities import CapabilityName
from clients.model.case import Case
from clients.model.errors import InfrastructureError, LackingError
from clients.model.stage import Stage
from clients.probe.outside import OutsideClient
from clients.proof.rig.rig import Rig

HINT = "give the gateway an address that keeps the client's: [ingress.<gateway>] address, or nodes that can be reached"


def wait_open(rig: Rig, stage: Stage, cases: Iterable[Case]) -> None:
    """Wait until load balancers lead to the gateways that these cases, and what settles the stage, enter by.

    Raises:
        LackingError: the stage is about the client's address, which the way to one of its gateways hides. Each gateway
            has a way of its own: the preflight's may show the address where another one's does not.
    """
    probes = [case.probe for case in cases] + [settle.probe for settle in stage.settle]
    entering = rig.prober.entering
    entering.wait_open((one.source for one in probes), rig.applier.timeout_s)
    if CapabilityName.CLIENT_ADDRESS not in stage.needs:
        return
    for one in probes:
        with suppress(InfrastructureError):  # the probe itself shows that no way leads there
            if isinstance(one.source, OutsideClient) and entering.is_forwarded(one):
                gateway = f"{one.source.gateway.namespace}/{one.source.gateway.app}"
                why = f"only a port that the API server forwards leads to {gateway}, which sees a client at 127.0.0.1"
                raise LackingError(f"the target lacks {CapabilityName.CLIENT_ADDRESS} ({why})", HINT)
