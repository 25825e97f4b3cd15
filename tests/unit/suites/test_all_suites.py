"""What holds for every suite: the catalogue is proven whole, denials have twins, stages and manifests are in order."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from clients.hold import held
from clients.model.case import Case
from clients.model.schedule import WHOLE_SUITE, SuiteSchedule
from clients.model.stage import Stage, Step
from clients.proof.preflight import canary
from runner.config import catalogue
from runner.config.settings import Settings
from runner.session.planned import PlannedTest
from runner.session.planning import whole_run
from runner.session.planning.collect_plan import collect

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
SUITES, MANIFESTS = ROOT / "suites", ROOT / "manifests"
TITLE_LENGTH = 70
FILES = sorted(SUITES.rglob("test_*.py"))
MODULES = [importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts)) for file in FILES]
TOPICS = sorted({file.parent for file in FILES})
CONTROLS = catalogue.load().controls


def cases_of(module: ModuleType) -> Iterator[Case]:
    yield from getattr(module, "CASES", ())
    for table in getattr(module, "TABLES", ()):
        yield from table.cases


CASES = [case for module in MODULES for case in cases_of(module)]
STAGES = {module.__name__: module.STAGE for module in MODULES if isinstance(getattr(module, "STAGE", None), Stage)}
STATES: list[Stage | Step] = [state for stage in STAGES.values() for state in (stage, *stage.steps)]


@pytest.fixture(scope="module")
def plan() -> list[PlannedTest]:
    """What a run of everything does, as pytest itself collects it."""
    return collect(["suites"], Settings())


def test_every_control_of_the_catalogue_has_a_test(plan: list[PlannedTest]) -> None:
    assert whole_run.lost(plan, catalogue.load()) == frozenset()


def test_every_proven_control_is_in_the_catalogue(plan: list[PlannedTest]) -> None:
    assert {entry.control for entry in plan} <= set(CONTROLS)


def test_every_stated_case_is_run(plan: list[PlannedTest]) -> None:
    """A module that lists cases without a test that takes them would prove nothing."""
    assert {case.id for case in CASES} <= {name for entry in plan for name in entry.ids}


def test_case_ids_are_unique(plan: list[PlannedTest]) -> None:
    ids = Counter(name for entry in plan for name in entry.ids)
    assert [name for name, count in ids.items() if count > 1] == []


def _lets_no_client_in(case: Case) -> bool:
    """Whether the twin is the server's own pod, as no client gets in: the request was let in before."""
    return case.twin is None and case.before is not None and not case.before.refuses


def test_every_denial_has_a_twin_that_is_another_request() -> None:
    denials = [case for case in CASES if case.refuses and not _lets_no_client_in(case)]
    assert len(denials) > 100
    assert [case.id for case in denials if case.twin is None or case.twin == case.probe] == []


def test_an_entry_that_must_be_absent_from_a_log_has_a_twin_that_the_log_shows() -> None:
    absent = [case for case in CASES if any(expected.absent for expected in case.logged)]
    assert absent
    assert [case.id for case in absent if case.twin is None] == []


def test_a_control_that_denies_has_a_case_with_a_twin() -> None:
    by_cases = {case.control for case in CASES if CONTROLS[case.control].polarity == "deny"}
    assert by_cases - {case.control for case in CASES if case.twin or _lets_no_client_in(case)} == set()


def test_a_twin_behind_a_gateway_reaches_the_same_backend() -> None:
    routed = [case for case in CASES if case.refuses and case.probe.behind and case.twin]
    assert routed
    assert [case.id for case in routed if case.twin and case.twin.destination != case.probe.destination] == []


def test_stage_names_are_unique() -> None:
    assert [name for name, count in Counter(stage.name for stage in STAGES.values()).items() if count > 1] == []


def test_every_module_with_cases_has_a_stage() -> None:
    assert [module.__name__ for module in MODULES if any(cases_of(module)) and module.__name__ not in STAGES] == []


def test_every_stage_and_every_step_has_a_title_of_its_own() -> None:
    assert [state.name for state in STATES if not 10 <= len(state.title) <= TITLE_LENGTH] == []
    assert [title for title, count in Counter(state.title for state in STATES).items() if count > 1] == []
    assert [state.title for state in STATES if state.title != state.title.strip(" .")] == []


def test_a_case_is_of_a_step_that_its_stage_has() -> None:
    unknown = [
        case.id
        for module in MODULES
        for case in cases_of(module)
        if case.step and case.step not in {step.name for step in STAGES[module.__name__].steps}
    ]
    assert unknown == []


def paths_of(stage: Stage) -> set[str]:
    """Every manifest, or folder of manifests, that a stage names."""
    named = (stage.environment, stage.prefetch, stage.apply, stage.removed, stage.replaced, stage.without)
    return {path for paths in (*named, *(step.apply for step in stage.steps)) for path in paths}


NAMED = set().union(*map(paths_of, STAGES.values()))


def test_every_manifest_that_a_stage_names_exists() -> None:
    assert [path for path in sorted(NAMED) if not (MANIFESTS / path).exists()] == []


def test_only_what_was_applied_is_removed() -> None:
    assert [stage.name for stage in STAGES.values() if not set(stage.removed) <= set(stage.apply)] == []


def test_only_what_the_environment_has_is_left_out() -> None:
    left_out = [(stage, path) for stage in STAGES.values() for path in stage.without]
    assert left_out
    assert [path for stage, path in left_out if not {path, path.rsplit("/", 1)[0]} & set(stage.environment)] == []


def test_every_manifest_is_used() -> None:
    """By a stage, by the harness, or by a test of its topic: by its path, or by its folder and a list of names."""
    unused = []
    for file in sorted(MANIFESTS.rglob("*.yaml")):
        path = file.relative_to(MANIFESTS)
        folder = path.parent.as_posix()
        ours = {canary.PAIRS, canary.OPEN, canary.DENY, canary.IMAGES, held.MANIFESTS}
        if {path.as_posix(), folder} & {*NAMED, *ours}:
            continue
        code = "".join(module.read_text() for module in sorted((SUITES / path.parts[0]).glob("test_*.py")))
        listed = f'f"{folder}/{{' in code and f'"{path.stem}"' in code
        if f'"{path}"' not in code and not listed:
            unused.append(path.as_posix())
    assert unused == []


def schedules() -> dict[Path, SuiteSchedule]:
    found = {folder: getattr(importlib.import_module(f"suites.{folder.name}"), "SCHEDULE", None) for folder in TOPICS}
    return {folder: schedule for folder, schedule in found.items() if schedule is not None}


def test_every_module_that_a_schedule_names_exists() -> None:
    assert schedules()
    for folder, schedule in schedules().items():
        names = {*schedule.durations_s, *schedule.yields_lock} - {WHOLE_SUITE}
        assert [name for name in names if not (folder / name).exists()] == []
        assert (WHOLE_SUITE in schedule.durations_s) <= schedule.one_process


def test_the_plan_carries_the_schedule_of_each_suite(plan: list[PlannedTest]) -> None:
    for entry in plan:
        schedule = schedules().get((ROOT / entry.suite).parent, SuiteSchedule())
        assert entry.placement == schedule.placement(entry.suite)
    assert {entry.placement.scope for entry in plan if entry.suite.startswith("suites/boutique/")} == {
        "suites/boutique"
    }


def test_every_namespace_says_whether_it_is_injected() -> None:
    """One without the label is injected where a mesh does that by default, and its plain workloads had a sidecar."""
    parts = [part for file in MANIFESTS.rglob("*.yaml") for part in file.read_text(encoding="utf-8").split("\n---\n")]
    namespaces = [part for part in parts if "\nkind: Namespace\n" in part]
    assert len(namespaces) > 20
    assert not [part for part in namespaces if "istio-injection: " not in part]
