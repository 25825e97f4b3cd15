"""The figures of proving clusters count as a run does: a known failure is none."""

from __future__ import annotations

import pytest

from benchmarks.profiles import arguments, counted, words

pytestmark = pytest.mark.unit

TOTALS = {"pass": 7, "fail": 3, "inconclusive": 1, "skip": 5, "reduced": 2, "known": 3, "not_run": 4}


def test_known_failures_are_counted_apart() -> None:
    found = counted(TOTALS)
    assert (found["failed"], found["known"]) == (0, 3)
    assert counted({**TOTALS, "fail": 5})["failed"] == 2
    rest = {key: found[key] for key in ("cases_proven", "skipped", "inconclusive", "not_run")}
    assert rest == {"cases_proven": 7, "skipped": 5, "inconclusive": 1, "not_run": 4}


def test_a_revision_is_measured_where_a_profile_has_several() -> None:
    asked = arguments().parse_args(["--only", "canary", "--revision", "stable", "--suite", "suites/lab"])
    assert words(asked) == ["suites/lab", "--revision", "stable"]
    assert words(arguments().parse_args([])) == []
