"""What is planned: a test in plain values, which travels as JSON, and what it proves, typed, on its item."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from clients.model.case import Case
from clients.model.evidence import Subject
from clients.model.probe import Probe
from clients.model.refused import RefusedManifest
from clients.model.schedule import Placement
from clients.model.stage import Stage, Step
from clients.proof.table import Table
from runner.config.catalogue import Control


@dataclass(frozen=True)
class PlannedTest:
    """One test that is going to run. Plain values: it travels as JSON.

    Attributes:
        id: of the case, or of the control; unique in a run.
        subjects: what the evidence of each of its cases is about; one, or one for each cell of a table.
        prefetch: manifests of later tests' environments that its process deploys meanwhile.
        apply: manifests of the stage's change; `removed` those that are deleted again before the case is judged.
        sends: the request in words; `before` is the outcome before the change. Both for people.
        alone: nothing else may run at the same time.
        tokens: kinds of tokens that are sent, also while the stage settles; each with whether it is sent in the URL.
        placement: how its suite schedules it in a distributed run.
    """

    nodeid: str
    id: str
    subjects: tuple[Subject, ...]
    needs: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    prefetch: tuple[str, ...] = ()
    apply: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    sends: str = ""
    expected: str = ""
    before: str = ""
    alone: bool = False
    tokens: tuple[tuple[str, bool], ...] = ()
    placement: Placement = field(default_factory=Placement)

    @property
    def subject(self) -> Subject:
        """Of its only case, or of the first cell: control, suite and stage are those of all."""
        return self.subjects[0]

    @property
    def control(self) -> str:
        """Id of the control that it proves."""
        return self.subject.control

    @property
    def suite(self) -> str:
        """Its file, relative to the checkout."""
        return self.subject.suite

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all cases that the test proves."""
        return tuple(subject.id for subject in self.subjects)


@dataclass(frozen=True)
class Proves:
    """What a test proves, typed; on its item, in the process that runs it.

    Attributes:
        planned: the same in plain values.
        case: None for a table, and for a test that looks at a state.
        independent: a test without a case that does not disturb the cases of its module.
    """

    planned: PlannedTest
    control: Control
    case: Case | None = None
    table: Table | None = None
    refused: RefusedManifest | None = None
    stage: Stage | None = None
    independent: bool = False

    @property
    def cases(self) -> tuple[Case, ...]:
        """Its case, or its table's cells."""
        return (self.case,) if self.case else self.table.cases if self.table else ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """Steps of its stage that are taken when the test is done; a test without a case may take any."""
        if not self.stage:
            return ()
        return max((self.stage.steps_to(case.step) for case in self.cases), key=len, default=self.stage.steps)

    @property
    def sends(self) -> tuple[Probe, ...]:
        """The requests of its stage, up to the last of its steps, and those of its cases with their twins."""
        of_stage = replace(self.stage, steps=self.steps).probes if self.stage else ()
        return (*of_stage, *(probe for case in self.cases for probe in case.probes))


PROVES = pytest.StashKey[Proves]()
"""On the item of every test that proves a control."""


PLAN: TypeAdapter[dict[str, PlannedTest]] = TypeAdapter(dict[str, PlannedTest])
"""A plan as JSON, by node id."""
FILE = "plan.json"


def save(plan: dict[str, PlannedTest], folder: Path, worker: str) -> None:
    """Write the plan of a worker; all workers of a run write the same."""
    draft = folder / f"{FILE}.{worker}"
    draft.write_bytes(PLAN.dump_json(plan))
    draft.replace(folder / FILE)


def load(folder: Path) -> dict[str, PlannedTest]:
    """The plan that a worker wrote; empty as long as none did."""
    path = folder / FILE
    return PLAN.validate_json(path.read_bytes()) if path.exists() else {}
