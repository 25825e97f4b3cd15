"""Tables: all cells proven, in their order, with as many confirmations as each needs."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import FakeRig, answered

from clients.model.case import Case
from clients.model.errors import ClusterError
from clients.model.evidence import Evidence, Subject, Verdict
from clients.model.expect import reset, status
from clients.model.probe import Workload
from clients.proof import prove, table
from clients.proof.case_runner import CaseRunner
from clients.proof.stage.observation import BASELINE_CONFIRMATIONS
from clients.proof.table import Table

pytestmark = pytest.mark.unit

A, B = Workload("a", "a", "client"), Workload("b", "b", "client")


def proven_table(cells: tuple[Case, ...], reach: Callable[[str], None]) -> list[Evidence]:
    running: Any = SimpleNamespace(rig=FakeRig(lambda _, name: answered(200, name)), reach=reach, worker="gw0")
    running.in_force, running.settled = (), ()
    subjects = {case.id: Subject(control=case.control, id=case.id) for case in cells}
    with CaseRunner(running, []) as case_runner:
        return table.prove_table(case_runner, Table("X-T-01", cells), subjects)


def test_every_cell_is_proven_in_order_and_only_changed_ones_wait_for_stale_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, int | None] = {}

    def proven(_running: Any, case: Case, subject: Subject, confirmations: int | None, *_: object) -> Evidence:
        asked[case.variant] = confirmations
        return prove.not_tried(subject, "")

    monkeypatch.setattr(prove, "prove_case", proven)
    cells = (
        Case("X-T-01", A.get("http://x.a/"), status(200), variant="unchanged"),
        Case("X-T-01", A.get("http://x.b/"), status(200), before=status(200), variant="same"),
        Case("X-T-01", B.get("http://x.a/"), reset(), before=status(200), variant="changed"),
    )
    made = proven_table(cells, lambda _: None)
    assert [one.id for one in made] == [case.id for case in cells]
    assert asked == {"unchanged": BASELINE_CONFIRMATIONS, "same": BASELINE_CONFIRMATIONS, "changed": None}


def test_no_cell_is_tried_when_its_step_cannot_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(step: str) -> None:
        raise ClusterError(f"no step {step}")

    monkeypatch.setattr(prove, "prove_case", lambda *_: pytest.fail("a cell was tried"))
    cells = tuple(Case("X-T-01", A.get(f"http://x.{n}/"), status(200), step="two", variant=n) for n in "ab")
    made = proven_table(cells, refused)
    assert [(one.id, one.verdict, one.reason) for one in made] == [
        ("X-T-01[a]", Verdict.INCONCLUSIVE, "no step two"),
        ("X-T-01[b]", Verdict.INCONCLUSIVE, "no step two"),
    ]


def test_few_sources_work_in_parallel() -> None:
    sources = [Workload(f"n{n}", "web", "client") for n in range(table.CLIENTS + 1)]
    cells = tuple(Case("X-T-01", who.get(f"http://x.{n}/"), status(200)) for who in sources for n in ("a", "b"))
    order = sorted(range(len(cells)), key=table._turns(cells))
    assert [cells[n].probe.source for n in order] == [*sources[:-1], *sources[:-1], sources[-1], sources[-1]]


def test_sources_take_turns() -> None:
    cells = tuple(Case("X-T-01", who.get(f"http://x.{n}/"), status(200)) for who in (A, B) for n in ("a", "b"))
    assert sorted(range(4), key=table._turns(cells)) == [0, 2, 1, 3]
