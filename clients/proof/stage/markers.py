"""Markers of one stage: sent after each of its changes, and awaited before an unchanged outcome is judged.

A proxy that shows the marker has the configuration that was current when the marker was applied, which is after the
change; docs/convergence.md says why, and which errors this excludes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from clients.apply.item import Item
from clients.model.case import Case
from clients.model.counted import counted
from clients.model.errors import AbandonedError, MeshproofError
from clients.model.expect import Expectation
from clients.model.marker import MarkerRecord, MarkerState
from clients.model.probe import Probe
from clients.model.stage import Observation
from clients.proof.rig.rig import Rig
from clients.proof.stage.marker_plan import Allowed, Look, MarkerPlan, by_proxies, unavailable
from clients.proof.stage.observation import observe_probe

THREADS = 8
"""Markers that are awaited in parallel."""


@dataclass
class SentMarkers:
    """The markers of one change.

    Attributes:
        looks: what is being looked at, by place.
        places: by case id, the places that its outcome depends on.
        without: by place, why it has no marker.
    """

    looks: dict[object, Future[MarkerRecord]] = field(default_factory=dict)
    places: dict[str, list[object]] = field(default_factory=dict)
    without: dict[object, MarkerRecord] = field(default_factory=dict)


class Markers:
    """The markers of one stage. A context is not needed: `close` ends what still looks.

    Args:
        stage: name of the stage, for requests' user agents.
    """

    def __init__(self, rig: Rig, stage: str) -> None:
        self._rig = rig
        self._stage = stage
        self._pool = ThreadPoolExecutor(THREADS)
        self._closed = threading.Event()
        self._sent = SentMarkers()

    def send(
        self,
        touched: Sequence[Item],
        in_force: Sequence[Item],
        unchanged: Sequence[Case],
        allowed: Iterable[Allowed],
        since: float,
    ) -> None:
        """Apply the markers of a change that the cluster has accepted, and begin to look for them.

        Args:
            touched: the objects of the change, those that it deleted as well.
            in_force: the stage's objects after the change.
            unchanged: cases whose outcome does not show that the change has come.
            allowed: requests that are let through after the change.
            since: monotonic time of the change, that times count from.
        """
        self._sent = sent = SentMarkers()
        if not unchanged or not any(by_proxies(item) for item in touched):
            return
        try:
            plan = MarkerPlan(self._rig, touched, in_force, list(allowed))
            for case in unchanged:
                sent.places[case.id] = plan.places_of(case)
        except MeshproofError as error:
            self._fail(sent, unchanged, error.message)
            return
        sent.without = plan.without
        try:
            self._rig.stage_objects.mark(plan.items)
        except MeshproofError as error:
            sent.without |= {place: unavailable(look.name, error.message) for place, look in plan.looks.items()}
            return
        for place, look in plan.looks.items():
            sent.looks[place] = self._pool.submit(self._look, look, since)

    def of(self, case: Case) -> tuple[MarkerRecord, ...]:
        """What is known of the markers that a case depends on; waits for them, each for the run's budget at most."""
        sent = self._sent
        places = sent.places.get(case.id, ())
        return tuple(sent.without[place] if place in sent.without else sent.looks[place].result() for place in places)

    def close(self) -> None:
        """End what still looks."""
        self._closed.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _fail(self, sent: SentMarkers, cases: Sequence[Case], why: str) -> None:
        sent.without = {"": unavailable("the proxies", why)}
        sent.places = {case.id: [""] for case in cases}

    def _look(self, look: Look, since: float) -> MarkerRecord:
        try:
            needed = look.needed(self._rig)
            seen = self._observe(look.probe, look.expect, needed, since)
            if seen.problem:
                text = f"not in force: {seen.problem}"
                return MarkerRecord(look.name, MarkerState.MISSING, text, seen.first_s, None, len(seen.attempts))
            # without this, a refusal for any other reason would be taken for the marker's
            other = self._observe(look.plain.probe, look.plain.expect, 1, since) if look.plain else None
        except (MeshproofError, AbandonedError) as error:
            why = error.message if isinstance(error, MeshproofError) else "it was no longer looked for"
            return MarkerRecord(look.name, MarkerState.MISSING, f"not looked at: {why}")
        if other and other.problem:
            text = f"not distinguished from another refusal: the request without it: {other.problem}"
            return MarkerRecord(look.name, MarkerState.MISSING, text, None, None, len(seen.attempts))
        count = len(seen.attempts)
        probes = counted(count, "probe")
        text = f"in force {seen.first_s:.2f} s after the change, confirmed at {seen.stable_s:.2f} s, {probes}"
        return MarkerRecord(look.name, MarkerState.SEEN, text, seen.first_s, seen.stable_s, count)

    def _observe(self, probe: Probe, expect: Expectation, needed: int, since: float) -> Observation:
        if self._closed.is_set():
            raise AbandonedError
        budget_s = self._rig.certainty.policy.budget_s
        return observe_probe(self._rig, probe, expect, self._stage, needed, budget_s, since, ended=self._closed)
