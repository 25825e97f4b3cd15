"""The registry of mutants: every entry names cases that exist, and a mutant is killed by what is due only."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase

import pytest
import yaml

from runner.config import catalogue
from runner.config.settings import Settings
from runner.session.planning.collect_plan import collect
from tests.harness_mutants.mutants import MUTANTS as HARNESS_MUTANTS
from tests.mutants.authorization.manifests import matches_nothing
from tests.mutants.entry import ENTRIES, EVERY, FAIL, LOST, PASS, Area, Entry, Place, judge
from tests.mutants.mutant import Changed
from tests.mutants.registry import HARNESS, MESH
from tests.selfcheck.mutants import REASONS

pytestmark = pytest.mark.unit
AT_LEAST = 100


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Ids of all cases, and every control with `[*]`."""
    plan = collect(["suites"], Settings())
    return {name for entry in plan for name in (*entry.ids, f"{entry.control}{EVERY}")}


def test_there_are_enough_and_their_names_are_unique() -> None:
    assert len(MESH) == len(ENTRIES) >= AT_LEAST
    assert len(HARNESS) == len(HARNESS_MUTANTS)
    assert not MESH.keys() & HARNESS.keys()


def test_every_area_has_one() -> None:
    assert {entry.area for entry in ENTRIES} | {Area.HARNESS} == set(Area)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_entry_names_cases_that_exist_and_says_what_it_does(entry: Entry, known: set[str]) -> None:
    assert entry.verdicts.keys() <= known
    assert entry.because.keys() <= entry.verdicts.keys()
    assert entry.about, "no control is about it"
    assert entry.says.endswith(".")


def test_no_two_say_the_same() -> None:
    assert [text for text, count in Counter(entry.says for entry in ENTRIES).items() if count > 1] == []


def entry(**verdicts: str) -> Entry:
    stated = {name.replace("_", "-"): verdict for name, verdict in verdicts.items()}
    change = Changed(matches_nothing)
    return Entry("m", Area.JWT, "It lies.", lambda: change, Place("suites/lab"), stated, {"A-01": "saw 200"})


def seen(**verdicts: str) -> dict[str, dict[str, str]]:
    return {name.replace("_", "-"): {"verdict": one, "reason": "saw 200"} for name, one in verdicts.items()}


def test_killed_by_a_fail_where_a_fail_is_due() -> None:
    assert judge(entry(A_01=FAIL, A_02=PASS), seen(A_01=FAIL, A_02=PASS)).killed


@pytest.mark.parametrize("instead", [PASS, LOST, "skip"])
def test_it_survives_any_other_verdict(instead: str) -> None:
    judged = judge(entry(A_01=FAIL), seen(A_01=instead))
    assert judged.missed == {"A-01": f"{instead} instead of fail"}
    assert not judged.killed


def test_it_survives_if_one_of_two_controls_about_it_passes() -> None:
    assert judge(entry(A_01=FAIL, A_02=FAIL), seen(A_01=FAIL, A_02=PASS)).missed.keys() == {"A-02"}


def test_it_survives_a_run_without_the_control() -> None:
    assert judge(entry(A_01=FAIL), seen(A_02=FAIL)).missed == {"A-01": "not run instead of fail"}


def test_it_survives_a_fail_for_another_reason() -> None:
    cases = {"A-01": {"verdict": FAIL, "reason": "the environment did not start"}}
    assert "another reason" in judge(entry(A_01=FAIL), cases).missed["A-01"]


def test_what_should_have_passed_is_named_and_does_not_save_it() -> None:
    judged = judge(entry(A_01=FAIL, A_02=PASS), seen(A_01=FAIL, A_02=FAIL))
    assert judged.killed
    assert judged.harmed == {"A-02": "fail instead of pass"}


@pytest.mark.parametrize(
    ("verdict", "reason", "harmed"),
    [
        (LOST, "marker: mtls-service/httpbin: not in force", False),
        (LOST, "objects in force: PeerAuthentication a/b does not exist any more", False),
        (LOST, "exec failed", True),
        (FAIL, "marker: mtls-service/httpbin: not in force", True),
    ],
)
def test_what_is_not_judged_for_want_of_a_marker_is_not_harmed(verdict: str, reason: str, harmed: bool) -> None:
    cases = {**seen(A_01=FAIL), "A-02": {"verdict": verdict, "reason": reason}}
    assert bool(judge(entry(A_01=FAIL, A_02=PASS), cases).harmed) is harmed


def test_every_case_of_a_control_counts() -> None:
    of_all = Entry("m", Area.JWT, "It lies.", lambda: Changed(matches_nothing), Place("suites/lab"), {"B-01[*]": FAIL})
    cases = {"B-01[x]": {"verdict": FAIL, "reason": ""}, "B-01[y]": {"verdict": PASS, "reason": ""}}
    assert judge(of_all, cases).missed == {"B-01[y]": "pass instead of fail"}
    assert judge(of_all, {}).missed == {"B-01": "not run instead of fail"}


def test_every_control_has_a_mutant_or_a_reason() -> None:
    noticed = {control for one in ENTRIES for control in one.about}
    stated = [pattern for group in yaml.safe_load(REASONS.read_text()) for pattern in group["controls"]]
    lacking = catalogue.load().controls.keys() - noticed
    assert {name for name in lacking if not any(fnmatchcase(name, pattern) for pattern in stated)} == set()
