"""Which tests prove which controls, and which of them are wanted."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pytest

from clients.model.case import Case
from clients.model.errors import SettingsError
from clients.model.schedule import Placement, SuiteSchedule
from clients.model.stage import Stage, Step
from clients.proof.table import Table
from runner.config.catalogue import Catalogue, Control


@dataclass(frozen=True)
class Planned:
    """One test as it is going to run: the case it proves, under which stage. Plain values: it travels as JSON.

    Attributes:
        id: of the case, unique in a run.
        cells: ids of a table's cells; empty for any other test.
        ahead: manifests of later tests' grounds that its process puts up meanwhile.
        apply: manifests of the stage's change; `removed` those that are deleted again before the case is judged.
        alone: nothing else may run beside it.
        tokens: kinds of tokens that are sent, to settle the stage, too; each with whether it is sent in the address.
        placement: how its suite wants it scheduled in a distributed run.
    """

    nodeid: str
    id: str
    control: str
    title: str
    polarity: str
    suite: str
    stage: str = ""
    needs: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    prefetch: tuple[str, ...] = ()
    apply: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    source: str = ""
    destination: str = ""
    request: str = ""
    expected: str = ""
    before: str = ""
    twin: str = ""
    cells: tuple[str, ...] = ()
    alone: bool = False
    tokens: tuple[tuple[str, bool], ...] = ()
    placement: Placement = field(default_factory=Placement)

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all cases that the test proves."""
        return tuple(self.cells) or (self.id,)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Planned:
        """The inverse of `dataclasses.asdict`."""
        return cls(**{**entry, "placement": Placement(**entry["placement"])})


def case_of(item: pytest.Item) -> Case | None:
    """The case that a parametrised test proves."""
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("case") if callspec else None
    return case if isinstance(case, Case) else None


def table_of(item: pytest.Item) -> Table | None:
    """The table that a parametrised test proves."""
    callspec = getattr(item, "callspec", None)
    table = callspec.params.get("table") if callspec else None
    return table if isinstance(table, Table) else None


def cases_of(item: pytest.Item) -> tuple[Case, ...]:
    """All cases that a test proves."""
    case, table = case_of(item), table_of(item)
    return (case,) if case else table.cases if table else ()


def control_name(item: pytest.Item) -> str:
    """Id of the control that a test proves, by its case or its `control` mark; empty where it proves none."""
    case = case_of(item)
    if case:
        return case.control
    if table := table_of(item):
        return table.control
    mark = item.get_closest_marker("control")
    return str(mark.args[0]) if mark and mark.args else ""


def is_independent(item: pytest.Item) -> bool:
    """Whether a test without a case leaves alone what its module's cases are proven in."""
    mark = item.get_closest_marker("control")
    return bool(mark and mark.kwargs.get("independent"))


def stage_of(item: pytest.Item) -> Stage | None:
    """The stage of the test's module."""
    stage = getattr(getattr(item, "module", None), "STAGE", None)
    return stage if isinstance(stage, Stage) else None


def placement_of(item: pytest.Item) -> Placement:
    """By the `SCHEDULE` of the package of the test's module; the default where it has none."""
    package = sys.modules.get(getattr(getattr(item, "module", None), "__package__", None) or "")
    schedule = getattr(package, "SCHEDULE", None)
    module = item.nodeid.split("::", 1)[0]
    return schedule.placement(module) if isinstance(schedule, SuiteSchedule) else Placement(module)


def planned(item: pytest.Item, control: Control) -> Planned:
    """What this test is going to do."""
    case, stage = case_of(item), stage_of(item)
    suffix = getattr(getattr(item, "callspec", None), "id", "")
    mark = item.get_closest_marker("control")
    needs = control.needs | (stage.needs if stage else frozenset())
    needs = needs.union(*(one.needs for one in cases_of(item)))
    needs |= frozenset(mark.kwargs.get("needs", ())) if mark else frozenset()
    substitutes = dict(case.substitutes) if case else {}
    table = table_of(item)
    common = Planned(
        nodeid=item.nodeid,
        id=case.id if case else f"{control.id}[{suffix}]" if suffix and not table else control.id,
        control=control.id,
        title=control.title,
        polarity=control.polarity,
        suite=item.nodeid.split("::", 1)[0],
        needs=tuple(sorted({substitutes.get(name, name) for name in needs})),
        twin=control.twin,
        tokens=_tokens(item),
        placement=placement_of(item),
    )
    facts: dict[str, Any] = {}
    if stage:
        facts |= {
            "stage": stage.name,
            "environment": stage.environment,
            "prefetch": stage.prefetch,
            "apply": stage.apply + stage.replaced + tuple(path for step in _taken(stage, item) for path in step.apply),
            "removed": stage.removed,
        }
    facts["alone"] = "mesh-wide" in common.needs and not (stage and stage.safe_in_parallel)
    if case:
        token = f" (token: {case.probe.token})" if case.probe.token else ""
        facts |= {
            "source": f"{case.probe.source.namespace}/{case.probe.source.app}",
            "destination": case.probe.destination,
            "request": f"{case.probe.method} {case.probe.url}{token}",
            "expected": case.expect.text,
            "before": case.before.text if case.before else "",
        }
    if table:
        outcomes = dict.fromkeys(case.expect.text for case in table.cases)
        facts |= {"request": f"a table of {len(table.cases)} cells", "expected": " or ".join(outcomes)}
        facts |= {"cells": tuple(case.id for case in table.cases)}
    return Planned(**{**common.__dict__, **facts})


def _taken(stage: Stage, item: pytest.Item) -> tuple[Step, ...]:
    """Steps that are behind when the test is done; a test without a case may take any."""
    return max((stage.steps_to(case.step) for case in cases_of(item)), key=len, default=stage.steps)


def _tokens(item: pytest.Item) -> tuple[tuple[str, bool], ...]:
    stage = stage_of(item)
    probes = [settle.probe for settle in stage.settle] if stage else []
    probes += [probe for case in cases_of(item) for probe in (case.probe, case.twin) if probe]
    return tuple(dict.fromkeys((probe.token, probe.token_as.startswith("?")) for probe in probes if probe.token))


def plan(items: Iterable[pytest.Item], catalogue: Catalogue) -> dict[str, Planned]:
    """By node id, the tests that prove a control.

    Raises:
        SettingsError: a control is not in the catalogue, or two tests claim one case id.
    """
    found: dict[str, Planned] = {}
    claimed: dict[str, str] = {}
    for item in items:
        name = control_name(item)
        if not name:
            continue
        entry = planned(item, catalogue.control(name))
        if entry.id in claimed:
            raise SettingsError(f"{entry.nodeid} and {claimed[entry.id]} both prove {entry.id}", "give one a variant")
        claimed[entry.id] = entry.nodeid
        found[item.nodeid] = entry
    return found


def shuffled(items: Sequence[pytest.Item], seed: int) -> list[pytest.Item]:
    """Modules in a random order, and the tests of each in a random order, but for those of a stage that goes by steps.

    The same for the same seed.
    """
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    modules = [list(tests) for _, tests in groupby(items, key=lambda item: item.nodeid.split("::", 1)[0])]
    chance.shuffle(modules)
    for tests in modules:
        if not (found := stage_of(tests[0])) or not found.steps:
            chance.shuffle(tests)
    return [item for tests in modules for item in tests]
