"""What a pytest item of a suite proves: its case or its table, its control, its stage."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from clients.model.case import Case
from clients.model.refused import RefusedManifest
from clients.model.schedule import Placement, SuiteSchedule
from clients.model.stage import Stage
from clients.proof.table import Table


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


def refused_of(item: pytest.Item) -> RefusedManifest | None:
    """The manifest that a parametrised test proves to be refused."""
    callspec = getattr(item, "callspec", None)
    refused = callspec.params.get("refused") if callspec else None
    return refused if isinstance(refused, RefusedManifest) else None


def cases_of(module: object) -> list[Case]:
    """The cases of a module and of its tables, whether they are selected or not."""
    tables: Sequence[Table] = getattr(module, "TABLES", ())
    return [*getattr(module, "CASES", ()), *(case for table in tables for case in table.cases)]


def control_name(item: pytest.Item) -> str:
    """Id of the control that a test proves, by its case or its `control` mark; empty where it proves none."""
    if proven := case_of(item) or table_of(item) or refused_of(item):
        return proven.control
    mark = item.get_closest_marker("control")
    return str(mark.args[0]) if mark and mark.args else ""


def needs_of(item: pytest.Item) -> frozenset[str]:
    """Capabilities that the test's own mark names."""
    mark = item.get_closest_marker("control")
    return frozenset(mark.kwargs.get("needs", ())) if mark else frozenset()


def is_independent(item: pytest.Item) -> bool:
    """Whether a test without a case does not disturb the cases of its module."""
    mark = item.get_closest_marker("control")
    return bool(mark and mark.kwargs.get("independent"))


def stage_of(item: pytest.Item) -> Stage | None:
    """The stage of the test's module."""
    stage = getattr(getattr(item, "module", None), "STAGE", None)
    return stage if isinstance(stage, Stage) else None


def placement_of(item: pytest.Item) -> Placement:
    """The placement by the `SCHEDULE` of the package of the test's module; the default where it has none."""
    package = sys.modules.get(getattr(module_of(item), "__package__", None) or "")
    schedule = getattr(package, "SCHEDULE", None)
    module = item.nodeid.split("::", 1)[0]
    return schedule.placement(module) if isinstance(schedule, SuiteSchedule) else Placement(module)


def module_of(item: pytest.Item) -> object:
    """The test's module, for comparison; None where it has none."""
    return getattr(item, "module", None)


def cases_stated(module: object) -> list[Case]:
    """Every case that a module states, in lists of its own and in its tables, whether it is selected or not."""
    values = [value for value in vars(module).values() if isinstance(value, list | tuple)] if module else []
    entries = [entry for value in values for entry in value]
    cells = [case for entry in entries if isinstance(entry, Table) for case in entry.cases]
    stated = [entry for entry in entries if isinstance(entry, Case)]
    return list({case.id: case for case in (*stated, *cells)}.values())
