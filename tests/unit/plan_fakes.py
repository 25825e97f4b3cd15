"""Tests as they stand in a plan, for tests that need no more of them."""

from __future__ import annotations

from typing import Any

from clients.model.evidence import Subject
from runner.session.planned import PlannedTest


def planned_test(nodeid: str, *, name: str = "X-1", control: str = "X-1", suite: str = "", **more: Any) -> PlannedTest:
    return PlannedTest(nodeid, name, (Subject(control=control, id=name, polarity="state", suite=suite),), **more)
