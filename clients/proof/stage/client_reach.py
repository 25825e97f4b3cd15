"""What each client of a stage reaches: its allowed requests, tried once in each state, for denials of that client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from clients.kube.pods import SIDECAR
from clients.model.case import Case
from clients.model.evidence import TwinProof, Verdict
from clients.model.expect import Expectation, status
from clients.model.probe import Probe
from clients.model.redact import redact
from clients.probe.answer import DATAGRAM
from clients.probe.converge import converge
from clients.probe.outside import OutsideClient
from clients.proof.rig.rig import Rig
from clients.proof.rig.sent import sent

MOST = 3
"""Requests that are tried for one client."""
CONFIRMATIONS = 3
TURN_S = 5.0
"""Seconds that one request is tried before the next one is; they take turns until the budget of a case is over."""


@dataclass(frozen=True)
class _Client:
    """A client in one state of a stage.

    Attributes:
        by_sidecar: its sidecar must be passed as well, not its network alone.
    """

    namespace: str
    app: str
    step: str
    by_sidecar: bool


@dataclass(frozen=True)
class _Allowed:
    """A request that is let in, in the state of one step of the stage, or in all of them (None)."""

    control: str
    probe: Probe
    expect: Expectation
    step: str | None

    def is_of(self, client: _Client) -> bool:
        """Whether the client sends it in this state, by its sidecar where that matters."""
        source = self.probe.source
        same = (source.namespace, source.app) == (client.namespace, client.app)
        return same and self.step in (None, client.step) and (passes_sidecar(self.probe) or not client.by_sidecar)


class ClientReach:
    """What each client of a stage reaches; each is tried once in each state of the stage. For several threads.

    Args:
        proven: cases that are proven in this run.
        others: further ones of the stage; those whose requests fail here are passed over, as this target may lack
            something that they need.
        reachable: requests that the stage says its clients may send (`Stage.reachable`).
        clock: monotonic seconds.
    """

    def __init__(
        self,
        rig: Rig,
        proven: Sequence[Case],
        others: Sequence[Case] = (),
        reachable: Sequence[Probe] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rig = rig
        self._clock = clock
        self._proven = [*_allowed(proven), *(_Allowed("", probe, status(200), None) for probe in reachable)]
        self._others = _allowed(case for case in others if case not in proven)
        self._found: dict[_Client, TwinProof | None] = {}
        self._locks: dict[_Client, threading.Lock] = {}
        self._lock = threading.Lock()

    def of(self, case: Case, *, by_sidecar: bool) -> TwinProof | None:
        """An allowed request of the case's client, or the last one that failed; None where the stage has none.

        Args:
            by_sidecar: the client's sidecar must let it pass as well: it may be what refused the case's request.
        """
        source = case.probe.source
        client = _Client(source.namespace, source.app, case.step, by_sidecar)
        with self._lock:
            one_at_a_time = self._locks.setdefault(client, threading.Lock())
        with one_at_a_time:
            if client not in self._found:
                self._found[client] = self._try(client, case.control)
            return self._found[client]

    def _try(self, client: _Client, control: str) -> TwinProof | None:
        own = [one for one in self._proven if one.is_of(client)][:MOST]
        deadline, failed = self._clock() + self._rig.certainty.policy.budget_s, None
        while own and (failed is None or self._clock() < deadline):
            for one in own:
                failed = self._proof(one, control)
                if failed.verdict is Verdict.PASS:
                    return failed
        tried = (self._proof(one, control) for one in [one for one in self._others if one.is_of(client)][:MOST])
        return next((proof for proof in tried if proof.verdict is Verdict.PASS), failed)

    def _proof(self, one: _Allowed, control: str) -> TwinProof:
        policy = replace(self._rig.certainty.policy, window_s=0.0)
        policy = replace(policy, budget_s=min(TURN_S, policy.budget_s))
        send = self._rig.prober.many(one.probe, one.control or control)
        seen = converge(send, one.expect, policy, needed=CONFIRMATIONS, since=self._clock(), unchanged=True)
        verdict = Verdict.PASS if seen.converged else Verdict.FAIL if seen.conclusive else Verdict.INCONCLUSIVE
        observed = redact(seen.last.summary) if seen.last else "nothing"
        last_id = seen.attempts[-1].request_id if seen.attempts else ""
        return TwinProof(one.control, verdict, one.expect.text, observed, last_id, sent(one.probe))


def passes_sidecar(probe: Probe) -> bool:
    """Whether the sidecar of the client, if it has one, handles a request: not its own, and no datagram.

    Source: Istio's documentation, "Protocol Selection": protocols other than TCP, such as UDP, are not proxied.
    """
    return probe.source.container != SIDECAR and not probe.url.startswith(f"{DATAGRAM}://")


def _allowed(cases: Iterable[Case]) -> list[_Allowed]:
    """The requests of cases that are let in, but for those from outside the cluster."""
    own = (case for case in cases if not (case.expect.refuses or isinstance(case.probe.source, OutsideClient)))
    return [_Allowed(case.control, case.probe, case.expect, case.step) for case in own]
