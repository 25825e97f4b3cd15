"""Whether a case's client has sent requests by a gateway in the cluster, which gave them ids of its own.

Their backend sees them with the client's address without a port, from a header (Envoy, `x-forwarded-for`); so it sees
what a filter in the client's own sidecar sends. Requests of the stages before count: their entries may come late.
"""

from __future__ import annotations

from clients.proof.proving import ProvingCase

LATE_S = 60.0
"""Seconds that an entry of an access log may need to come: proxies write it each second, and a log that is opened
again begins some seconds earlier than asked; on a busy machine each takes longer."""


def of_path(proving: ProvingCase) -> bool:
    """Whether it has sent any of the case's path."""
    return _late(proving, _sent_at(proving).get(proving.case.probe.record.path))


def of_any(proving: ProvingCase) -> bool:
    """Whether it has sent any at all."""
    return _late(proving, max(_sent_at(proving).values(), default=None))


def _sent_at(proving: ProvingCase) -> dict[str, float]:
    sent_at: dict[str, float] = proving.rig.prober.by_gateway.get(proving.case.probe.source, {})
    return dict(sent_at)  # other threads send meanwhile


def _late(proving: ProvingCase, at: float | None) -> bool:
    return at is not None and at > proving.running.since - LATE_S
