"""What a suite states: which workload sends which request, and which outcome it must have. Data only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from clients.model.decision import Decision
from clients.model.errors import InfrastructureError
from clients.model.expect import Expectation
from clients.model.log_expectations import AccessLogExpectation, ServerLogExpectation
from clients.model.probe import Probe


@dataclass(frozen=True)
class Case:
    """One parametrised execution of a control.

    Attributes:
        control: id from the catalogue (`LAB-MTLS-03`); title, polarity and twin come from there.
        probe: the request.
        expect: the pinned outcome in the stage's state.
        expect_of: pairs of an exact version of Envoy (`1.37.0`) and the outcome that is pinned in place of `expect`
            for a client whose proxy, or whose gateway, has that version, because that release behaves differently.
        before: the outcome before the stage's change; None where the stage changes nothing for this request.
        twin: the probe of the opposite polarity, run in the same state through the same path; every denial has one.
        twin_expect: its outcome.
        logged: what proxies must have logged as well.
        arrival: what the external server must have seen; None where its log is not read.
        repeat: least number of requests.
        decided: how a refusal must have been made, where that does not follow from its outcome and from the policies.
        needs: capabilities in addition to those of the control and of the stage.
        substitutes: pairs of a capability that the catalogue names and another one with which this case proves as much.
        step: name of the stage's step in which the case is proven; empty for the state before the first step.
        holds_s: the outcome must hold for at least this long, in seconds, where that is longer than the run's window.
        variant: distinguishes several cases of one control (`expired`); empty where there is one.
    """

    control: str
    probe: Probe
    expect: Expectation
    before: Expectation | None = None
    twin: Probe | None = None
    twin_expect: Expectation | None = None
    logged: tuple[AccessLogExpectation, ...] = ()
    arrival: ServerLogExpectation | None = None
    repeat: int = 0
    needs: frozenset[str] = frozenset()
    substitutes: tuple[tuple[str, str], ...] = ()
    variant: str = ""
    holds_s: float = 0.0
    step: str = ""
    expect_of: tuple[tuple[str, Expectation], ...] = ()
    decided: Decision | None = None

    def behind_proxies(self, versions: Iterable[str]) -> Case:
        """The case with the outcome that is pinned for proxies of these versions.

        Raises:
            InfrastructureError: the proxies have several versions, for which different outcomes are pinned.
        """
        pinned = {version: dict(self.expect_of).get(version, self.expect) for version in versions}
        if len(set(pinned.values())) > 1:
            several = ", ".join(sorted(pinned))
            raise InfrastructureError(f"the proxies are of several versions, which answer differently: {several}")
        return replace(self, expect=next(iter(pinned.values()), self.expect))

    @property
    def id(self) -> str:
        """`LAB-JWT-04[expired]`: unique in a run."""
        return f"{self.control}[{self.variant}]" if self.variant else self.control

    @property
    def probes(self) -> tuple[Probe, ...]:
        """Its request, and that of its twin where it has one."""
        return (self.probe, self.twin) if self.twin else (self.probe,)

    @property
    def refuses(self) -> bool:
        """Whether the request must not reach the backend. With an `arrival`, the external server refused it."""
        return self.arrival is None and self.expect.refuses
