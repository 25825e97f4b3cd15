"""The verdict of an upgrade, its phases and pairs, hooks and what is recorded; no cluster is needed for these rules."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from report_samples import a_case, sample_run, sample_target

from clients.hold.account import Account, Row
from clients.hold.flows import ARRIVED, FLOWS
from clients.hold.held import NAMESPACES, Held
from clients.hold.seen import Seen
from clients.mesh.upgrade.unchecked import Unchecked, UncheckedReason, out_of_sight
from clients.model.errors import ClusterError, SettingsError
from clients.model.evidence import Evidence, Verdict
from clients.model.known import KnownFailure
from reports.diff import compare
from reports.record import conformance
from reports.record.model import Report
from runner.commands import cli
from runner.upgrade import basis, hooks, moving, own_cluster, page, proving, showing, watching
from runner.upgrade.conduct import Upgrade
from runner.upgrade.plan import ENDS, NEW, OLD, PARTS, PHASES, MeshState, PhaseName, pair
from runner.upgrade.record import Cell, Event, PhaseRecord, UpgradeRecord, UpgradeSide
from runner.upgrade.regressions import against
from runner.upgrade.sides import check_sides
from runner.upgrade.verdict import Safety, lost_before, of_cells, table, verdict

pytestmark = pytest.mark.unit

BY_NAME = {flow.name: flow for flow in FLOWS}
BEFORE, AFTER = UpgradeSide("stable", "1-29-1", "1.29.1"), UpgradeSide("next", "1-31-1", "1.31.1")
GOOD = Cell("mesh-http1-kept", "client old, server new", False, 100, 0, 0, 0)


def record(*events: Event, cells: tuple[Cell, ...] = (GOOD,), left_out: str = "") -> UpgradeRecord:
    phases = [PhaseRecord(phase.name, 1.0, 2.0, cells, events) for phase in PHASES if phase.name != left_out]
    return UpgradeRecord("upgrade-1", BEFORE, AFTER, prechecked=True, phases=tuple(phases))


# -- phases and pairs


def test_phases_are_in_order_and_end_where_the_next_begins() -> None:
    assert [phase.name for phase in PHASES] == list(PhaseName)
    states = [state for phase in PHASES for state in phase.states]
    moves = [sum(one.of(part) != two.of(part) for part in PARTS) for one, two in pairwise(states)]
    assert max(moves) == 1, "one part at a time, so that a loss has one cause"
    assert states[-1] == MeshState(), "it ends as it began"


@pytest.mark.parametrize("way", ENDS)
def test_every_pair_of_old_and_new_is_looked_at(way: str) -> None:
    parts = ENDS[way]
    seen = {tuple(state.of(part) for part in parts) for phase in PHASES for state in phase.states}
    assert seen == set(product((OLD, NEW), repeat=len(parts)))


def test_every_flow_has_a_way() -> None:
    assert {flow.name.partition("-")[0] for flow in FLOWS} == ENDS.keys()
    assert pair("egress-http1-kept", MeshState(NEW, OLD, OLD)) == "client new, gateway old"


# -- the verdict


def test_nothing_against_it_is_safe() -> None:
    found = verdict(record())
    assert (found.safety, found.safety.exit_code) == (Safety.SAFE, 0)


@pytest.mark.parametrize("kind", ["leak", "lost", "not denied", "regression", "revision"])
def test_whatever_is_against_it_makes_it_not_safe(kind: str) -> None:
    found = verdict(record(Event("moved", kind, "x", "y"), Event("mixed", "not known", "x", "y")))
    assert (found.safety, found.safety.exit_code) == (Safety.NOT_SAFE, 1)
    assert {event.kind for event in found.against} == {kind}


def test_what_was_not_seen_makes_it_not_known() -> None:
    found = verdict(record(Event("mixed", "not known", "sender", "not observed")))
    assert (found.safety, found.safety.exit_code) == (Safety.NOT_KNOWN, 3)


@pytest.mark.parametrize("phase", list(PhaseName))
def test_without_a_phase_it_is_not_known(phase: str) -> None:
    found = verdict(record(left_out=phase))
    assert found.safety is Safety.NOT_KNOWN
    assert [event.what for event in found.unknown] == [phase]


@pytest.mark.parametrize(("level", "safety"), [("error", Safety.NOT_SAFE), ("warning", Safety.SAFE)])
def test_an_error_of_the_prechecks_is_not_safe(level: str, safety: Safety) -> None:
    """A policy with the old revision's label is one: the new revision ignores it."""
    checked = replace(record(), prechecks=((level, "REV-LABEL", "is ignored", ("AuthorizationPolicy a/b",)),))
    found = verdict(checked)
    assert found.safety is safety
    assert [event.what for event in found.against] == (["REV-LABEL"] if safety is Safety.NOT_SAFE else [])


@pytest.mark.parametrize(
    ("line", "safety"),
    [
        ("AuthorizationPolicy: may not be listed", Safety.NOT_KNOWN),
        ("changes between the versions: the version of stable is not seen", Safety.NOT_KNOWN),
        ("MeshConfig of the revision 1-31-1: it cannot be read", Safety.NOT_KNOWN),
        (
            "precheck, analyze and proxy-status: there is no istioctl",
            Safety.NOT_KNOWN,
        ),  # why it is so is no matter of words
        (Unchecked("proxy-status: istioctl proxy-status failed: forbidden", UncheckedReason.BY_ISTIOCTL), Safety.SAFE),
        (out_of_sight("the variables of istiod", "asm-managed"), Safety.SAFE),
    ],
)
def test_an_upgrade_whose_own_prechecks_were_not_made_is_not_known(line: str | Unchecked, safety: Safety) -> None:
    """What istioctl thinks is left out, and the answer says so; a table that was not read may have had an error."""
    one = line if isinstance(line, Unchecked) else Unchecked(line)
    line, checked = one.text, replace(record(), not_checked=(one,))
    found = verdict(checked)
    assert (found.safety, bool(found.unknown)) == (safety, safety is Safety.NOT_KNOWN)
    assert any(line in one for one in [*basis.leaves_out(checked), *(event.text for event in found.unknown)])
    assert verdict(replace(record(), prechecked=False)).safety is Safety.NOT_KNOWN


@pytest.mark.parametrize(
    ("sent", "skipped", "kinds"), [(4, 16, ["not known"]), (16, 4, []), (1, 3, []), (1, 9, ["not known"])]
)
def test_a_flow_that_was_hardly_sent_is_not_known(sent: int, skipped: int, kinds: list[str]) -> None:
    """A client without time sends one request where ten are due: a leak of a second may have met none."""
    assert [event.kind for event in of_cells("mixed", [replace(GOOD, requests=sent, skipped=skipped)])] == kinds
    alone = Seen("h", 0.0, 1.0, (Account(BY_NAME[GOOD.flow], sent, sent, skipped=skipped),))
    assert alone.certain == (not kinds), "`hold check` has the same rule"
    was, now = Account(BY_NAME[GOOD.flow], 10, 10, skipped=3), Account(BY_NAME[GOOD.flow], 14, 14, skipped=19)
    assert watching.cell(was, now, MeshState(), since=0.0, moving=False).skipped == 16


@pytest.mark.parametrize(
    ("changes", "kind", "part"),
    [
        ({"leaked": 3, "when": "at 12:00:00.100, for 0.30 s"}, "leak", "3 denied requests got through"),
        ({"lost": 2, "kinds": {"closed": 2}}, "lost", "2 of 100 requests were lost"),
        ({"other": 4, "kinds": {"status 503": 4}}, "not denied", "4 of 100 denials were of another kind"),
        ({"requests": 0}, "not known", "no request was sent"),
    ],
)
def test_cells_speak_for_themselves(changes: dict[str, Any], kind: str, part: str) -> None:
    (event,) = of_cells("mixed", [replace(GOOD, **changes)])
    assert (event.phase, event.kind, event.what) == ("mixed", kind, GOOD.flow)
    assert event.text.startswith(part)
    assert "with client old, server new" in event.text
    assert all(word in event.text for word in [changes.get("when", "")])


@pytest.mark.parametrize(("kind", "kept"), [("leaked", "leak"), ("lost", "not known"), ("other", "not known")])
def test_what_is_lost_before_anything_moved_is_not_the_upgrades_doing(kind: str, kept: str) -> None:
    (event,) = of_cells("before", [replace(GOOD, **{kind: 1})])
    assert event.kind == kept


@pytest.mark.parametrize(
    ("kinds", "kept"), [({"dns": 2}, {"not known"}), ({"dns": 1, "timeout": 1}, {"lost", "not denied"})]
)
def test_what_had_no_address_is_not_the_upgrades_doing(kinds: dict[str, int], kept: set[str]) -> None:
    events = of_cells("moved", [replace(GOOD, lost=2, kinds=kinds), replace(GOOD, other=2, kinds=kinds)])
    assert {event.kind for event in events} == kept


@pytest.mark.parametrize(
    ("kinds", "kept"),
    [
        ({"timeout": 2}, {"not known"}),
        ({"timeout": 1, "dns": 1}, {"not known"}),
        ({"timeout": 1, "status 503": 1}, {"lost", "not denied"}),
    ],
)
def test_what_was_lost_before_in_the_same_way_is_not_the_upgrades_doing(kinds: dict[str, int], kept: set[str]) -> None:
    """A machine without time loses requests in every phase; what leaks is a leak nevertheless."""
    first = PhaseRecord("before", 1.0, 2.0, (replace(GOOD, lost=1, kinds={"timeout": 1, ARRIVED: 1}),))
    before = lost_before(UpgradeRecord("upgrade-1", BEFORE, AFTER, phases=(first, replace(first, name="moved"))))
    assert before == {"timeout"}
    cells = [replace(GOOD, lost=2, kinds=kinds), replace(GOOD, other=2, kinds=kinds)]
    assert {event.kind for event in of_cells("moved", cells, before)} == kept
    (leak,) = of_cells("moved", [replace(GOOD, leaked=1, kinds={ARRIVED: 1})], before | {ARRIVED})
    assert leak.kind == "leak"


@pytest.mark.parametrize(
    ("kinds", "kept"),
    [
        ({"closed": 2, "timeout": 1}, "lost"),  # two were cut, and the third was lost as none before
        ({"closed": 3}, "not known"),  # one more than were cut, but some were lost so before
        ({"closed": 2, "grpc Unavailable": 1}, "not known"),
        ({"closed": 1, "grpc Unavailable": 2}, "not known"),
        ({"grpc Unavailable": 3}, "lost"),
    ],
)
def test_what_was_cut_does_not_excuse_what_was_lost(kinds: dict[str, int], kept: str) -> None:
    cell = replace(GOOD, moving=True, lost=1, cut=2, kinds=kinds)
    assert [event.kind for event in of_cells("mixed", [cell], frozenset({"closed"}))] == [kept]


@pytest.mark.parametrize(
    ("name", "kinds", "moving_it", "lost", "cut"),
    [
        ("mesh-websocket-kept", {"closed": 1}, True, 0, 1),
        ("mesh-grpc-kept", {"grpc Unavailable": 2, "grpc Internal": 1}, True, 1, 2),  # more than replicas
        ("mesh-websocket-kept", {"closed": 1}, False, 1, 0),  # nothing was replaced
        ("mesh-websocket-kept", {"timeout": 1}, True, 1, 0),  # another kind
        ("mesh-http1-kept", {"closed": 1}, True, 1, 0),  # no stream
        ("mesh-websocket-fresh", {"closed": 1}, True, 1, 0),  # not kept
    ],
)
def test_a_request_on_a_stream_whose_pod_goes_is_cut(
    name: str, kinds: dict[str, int], moving_it: bool, lost: int, cut: int
) -> None:
    rows = tuple(Row(5.0, 5.0, kind, count) for kind, count in kinds.items())
    was = Account(BY_NAME[name], 10, 10)
    now = Account(BY_NAME[name], 20, 20 - sum(kinds.values()), rows)
    cell = watching.cell(was, now, MeshState(), since=0.0, moving=moving_it)
    assert (cell.requests, cell.lost, cell.cut) == (10, lost, cut)


@pytest.mark.parametrize(
    ("start", "left", "lost", "cut"),
    [
        (99.0, 2, 0, 2),  # sent before the pods were gone, and written down later
        (101.0, 2, 2, 0),  # sent later
        (99.0, 1, 1, 1),  # the other one was cut by the time of the last look
        (99.0, 0, 2, 0),  # nothing was replaced before
    ],
)
def test_a_request_that_was_cut_may_be_known_only_after_the_move(start: float, left: int, lost: int, cut: int) -> None:
    """Seen on a machine under load 30: a client wrote it down after the old pods had gone."""
    flow = BY_NAME["mesh-websocket-kept"]
    was, now = Account(flow, 10, 10), Account(flow, 20, 18, (Row(start, start + 1, "closed", 2),))
    cell = watching.cell(was, now, MeshState(), since=100.0, moving=False, left=left)
    assert (cell.lost, cell.cut) == (lost, cut)


def test_only_the_look_after_a_move_may_know_more_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = BY_NAME["mesh-websocket-kept"]
    closed = [Row(at, at, "closed", 1) for at in (9.0, 19.0, 29.0)]
    looks = iter(
        Seen("h", 0.0, until, (Account(flow, 10 * n, 10 * n - n, tuple(closed[:n])),))
        for n, until in ((1, 20.0), (2, 30.0), (3, 40.0))
    )
    monkeypatch.setattr(watching, "check", lambda *_: next(looks))
    watch = watching.Watch(None, Held("h", {}))  # type: ignore[arg-type]
    assert [watch.cells(MeshState(), moving=moving)[0].cut for moving in (True, False, False)] == [1, 1, 0]


def test_a_state_on_the_way_need_not_have_a_request() -> None:
    assert not of_cells("mixed", [replace(GOOD, moving=True, requests=0)])


def test_the_table_has_what_was_wrong_in_any_state_of_a_pair() -> None:
    bad, moving_one = replace(GOOD, lost=1), replace(GOOD, leaked=9, moving=True)
    other = replace(GOOD, pair="client new, server new")
    assert table([GOOD, bad, GOOD, moving_one, other]) == {
        GOOD.flow: {"client old, server new": "1 lost", "client new, server new": "ok"}
    }


# -- the suites


def run_of(*cases: Evidence) -> Report:
    return Report(run=sample_run(), target=sample_target(), cases=cases)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (Verdict.PASS, Verdict.FAIL, "regression"),
        (Verdict.PASS, Verdict.INCONCLUSIVE, "not known"),
        (Verdict.PASS, Verdict.SKIP, "not known"),
        (None, Verdict.FAIL, "regression"),
        (Verdict.PASS, None, "not known"),
    ],
)
def test_a_case_that_got_worse_is_named(before: Verdict | None, after: Verdict | None, kind: str) -> None:
    case = a_case()
    was, now = (one and replace(case, verdict=one) for one in (before, after))
    found = against(
        "moved", run_of(*[now] * bool(now)), compare(run_of(*[was] * bool(was)), run_of(*[now] * bool(now)))
    )
    assert [(event.kind, event.what) for event in found] == [(kind, case.id)]


def known(case: Evidence) -> Evidence:
    return replace(
        case, verdict=Verdict.FAIL, known=KnownFailure(case.control, "owner", "https://x.test", "2099-01-01")
    )


def judged(was: Evidence, now: Evidence) -> list[str]:
    return [event.kind for event in against("moved", run_of(now), compare(run_of(was), run_of(now)))]


def test_a_known_failure_that_only_the_new_version_has_is_a_regression() -> None:
    """The list excuses a run; that the version brings the failure is what an upgrader asks."""
    case = a_case()
    assert judged(case, known(case)) == ["regression"]
    assert judged(known(case), known(case)) == []
    assert judged(replace(case, verdict=Verdict.SKIP), known(case)) == ["not known"]


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (Verdict.INCONCLUSIVE, Verdict.FAIL),
        (Verdict.FAIL, Verdict.INCONCLUSIVE),
        (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
    ],
)
def test_a_case_without_an_answer_on_one_side_is_not_known(was: Verdict, now: Verdict) -> None:
    assert judged(*(replace(a_case(), verdict=one) for one in (was, now))) == ["not known"]


@pytest.mark.parametrize("verdict_of_both", [Verdict.PASS, Verdict.FAIL])
def test_what_was_so_before_does_not_speak_against_it(verdict_of_both: Verdict) -> None:
    same = run_of(replace(a_case(), verdict=verdict_of_both))
    assert not against("moved", same, compare(same, same))


def test_a_run_without_cases_shows_nothing() -> None:
    assert [event.kind for event in against("before", run_of(), None)] == ["not known"]


@pytest.mark.parametrize("verdict_of_all", [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.SKIP])
def test_a_first_run_in_which_nothing_passes_shows_nothing(verdict_of_all: Verdict) -> None:
    """What fails before and after is no regression: where that is all, the upgrade was never judged."""
    run = run_of(replace(a_case(), verdict=verdict_of_all))
    assert [event.kind for event in against("before", run, None)] == ["not known"]
    assert against("before", run_of(a_case()), None) == []


# -- the record, and going on


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = record(Event("moved", "leak", "x", "y"))
    made.save(tmp_path)
    assert UpgradeRecord.load(tmp_path) == made
    assert made.finished == {phase.name for phase in PHASES}


@pytest.mark.parametrize("text", ["", "{}", '{"id": 1}'])
def test_another_file_is_no_record(text: str, tmp_path: Path) -> None:
    (tmp_path / "upgrade.json").write_text(text)
    with pytest.raises(SettingsError, match="is not of an upgrade"):
        UpgradeRecord.load(tmp_path)


def test_a_folder_without_a_record_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"upgrade\.json cannot be read: No such file"):
        UpgradeRecord.load(tmp_path)


def test_a_finished_upgrade_is_not_done_again(tmp_path: Path) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("nothing is left to do")

    cluster: Any = None
    assert Upgrade(cluster, tmp_path, record(), hold=never, suites=never, say=never).run() == record()


def test_all_files_say_the_same(tmp_path: Path) -> None:
    made = record(Event("moved", "leak", "mesh-http1-denied", "2 denied requests got through"))
    found = showing.write(made, tmp_path)
    read = json.loads((tmp_path / showing.JSON).read_text())
    texts = [(tmp_path / name).read_text() for name in (showing.MARKDOWN, showing.HTML)]
    texts.append("\n".join(showing.lines(made, found)))
    assert (read["verdict"], read["exit"], found.safety.value) == ("not safe", 1, "not safe")
    assert read["against"][0] == dataclasses.asdict(found.against[0])
    for text in texts:
        assert "NOT SAFE: from 1-29-1 (1.29.1) to 1-31-1 (1.31.1);" in text
        assert "2 denied requests got through" in text
        assert "do not move yet" in text
        assert "find the policy that does not hold there" in text
    assert "| mesh-http1-kept | ok |" in texts[0]
    assert '<th scope="row">mesh-http1-kept</th><td>ok</td>' in texts[1]


def test_a_part_of_the_catalogue_is_named_with_the_answer() -> None:
    """`tier` is a setting too: without a word an upgrade with it looks like one with the whole catalogue."""
    made = replace(record(), tier="core", suites=("suites/lab",))
    first, *rest = showing.lines(made, verdict(made))
    assert first.startswith("SAFE, as far as tier core of suites/lab shows: from ")
    assert "  repeat it without --tier and SUITE: only the whole catalogue shows what this one left out" in rest
    assert (showing.as_json(made, verdict(made))["whole_catalogue"], made.tier) == (False, "core")
    assert next(iter(showing.lines(record(), verdict(record())))).startswith("SAFE: from ")


def test_a_control_plane_that_no_user_can_see_is_named_with_the_answer() -> None:
    """A managed mesh: all that can be seen was seen, and a reader of the first line has to know what was not."""
    hidden = tuple(out_of_sight(what, "asm-managed") for what in ("MeshConfig", "the variables of istiod"))
    made = replace(record(), not_checked=hidden)
    found = verdict(made)
    first, *rest = showing.lines(made, found)
    assert found.safety is Safety.SAFE
    assert first.startswith("SAFE, without a look at the control plane: from ")
    assert (
        sum("only its provider sees it: what it changes was seen by requests and cases only" in one for one in rest)
        == 2
    )
    assert any("ask the provider what the new control plane has otherwise" in one for one in rest)
    assert showing.as_json(made, found)["out_of_sight"] == [one.text for one in hidden]
    text = page.render(made, found)
    assert "SAFE, without a look at the control plane" in text
    assert "only its provider sees it" in text
    assert showing.as_json(record(), verdict(record()))["out_of_sight"] == []


def test_reasons_of_one_kind_in_one_phase_are_one_line() -> None:
    names = [f"flow-{number}" for number in range(9)]
    leaks = [Event("mixed", "leak", name, f"{name} leaked") for name in [*names, names[0]]]
    made = [*leaks, Event("moved", "leak", "flow-0", "again")]
    first, second = basis.grouped(made)
    assert (first.first.text, first.more) == (
        "flow-0 leaked",
        "also flow-1, flow-2, flow-3, flow-4, flow-5, flow-6 and 2 more",
    )
    assert (second.first.text, second.more) == ("again", "")


def test_the_cases_of_a_phase_are_counted_once() -> None:
    cases = {"pass": 10, "reduced": 2, "fail": 3, "known": 3, "inconclusive": 0, "skip": 4, "not_run": 1}
    phase = replace(record().phases[0], cases=cases)
    assert phase.planned == 18
    assert basis.proven(phase) == "10 of 18 cases pass (2 reduced), 3 known failures, 4 skipped, 1 not run"


def test_the_page_of_what_differs_is_in_the_folder_of_the_phase(tmp_path: Path) -> None:
    before, after = (tmp_path / name / "run" / "conformance.json" for name in ("before", "moved"))
    for file, said in ((before, Verdict.PASS), (after, Verdict.FAIL)):
        file.parent.mkdir(parents=True)
        conformance.save(run_of(replace(a_case(), verdict=said)), file)
    made = proving.judge("moved", after.parent, before.parent, tmp_path)
    assert (made.run, made.cases["fail"], [event.kind for event in made.events]) == ("moved/run", 1, ["regression"])
    assert a_case().control in (tmp_path / "moved" / proving.DIFF).read_text()
    here = sample_target().mesh
    for due, kinds in (
        (UpgradeSide("next", here.revision, here.version), ["regression"]),
        (UpgradeSide("next", "", ""), ["regression"]),
        (UpgradeSide("next", "other", here.version), ["regression", "not known"]),
        (UpgradeSide("next", here.revision, "1.99.0"), ["regression", "not known"]),
    ):
        made = proving.judge("moved", after.parent, before.parent, tmp_path, due)
        assert [event.kind for event in made.events] == kinds
    first = proving.judge("before", before.parent, None, tmp_path)
    assert (first.run, first.cases["pass"], first.events) == ("before/run", 1, ())
    with pytest.raises(ClusterError, match="phase moved: the suites have no report"):
        proving.judge("moved", tmp_path, before.parent, tmp_path)


# -- bad input


@pytest.mark.parametrize("words", ["x=y", "moved", "moved=", "=true", "before= "])
def test_a_hook_names_a_phase_and_a_command(words: str) -> None:
    with pytest.raises(
        SettingsError, match="is not PHASE=COMMAND; phases are before, canary, mixed, moved, rolled-back"
    ):
        hooks.parse([words])


def test_a_phase_has_one_hook() -> None:
    assert hooks.parse(["moved=a=b", "canary=c"]) == {"moved": "a=b", "canary": "c"}
    with pytest.raises(SettingsError, match="the phase moved has two hooks"):
        hooks.parse(["moved=a", "moved=b"])


def test_a_hook_that_fails_is_one_line_with_its_last_words() -> None:
    with pytest.raises(ClusterError, match=r"the hook of the phase moved failed \(exit 7\): no such tag$"):
        hooks.run("moved", "echo first; echo no such tag >&2; exit 7", 10, {})


def test_a_hook_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ClusterError, match=r"did not end within 0\.3 s; give it longer by --hook-timeout"):
        hooks.run("moved", f"(sleep 2; touch {tmp_path}/late) & sleep 60", 0.3, {})
    assert time.monotonic() - began < 2
    time.sleep(2)
    assert not (tmp_path / "late").exists()


def test_a_hook_knows_its_phase_and_the_revisions(tmp_path: Path) -> None:
    hooks.run("moved", f'echo "$MESHPROOF_PHASE $MESHPROOF_TO" > {tmp_path}/seen', 10, {"MESHPROOF_TO": "next"})
    assert (tmp_path / "seen").read_text() == "moved next\n"


def test_two_names_of_one_revision_are_refused() -> None:
    with pytest.raises(SettingsError, match="stable and 1-29-1 are the same revision 1-29-1"):
        check_sides(BEFORE, replace(BEFORE, label="1-29-1"))
    check_sides(BEFORE, AFTER)


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("1.31", "1.31", "--from and --to must be two versions"),
        ("1.29", "", "--from and --to must be two versions"),
        ("1.31", "1.29", "1.29.1 is older than 1.31.1; the way back is a phase"),
        ("1.12", "1.31", "Istio '1.12' is not a version of the testbed"),
    ],
)
def test_versions_that_the_testbed_does_not_have(start: str, end: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text), own_cluster.given(start, end, {}, print):
        pass


def test_versions_are_not_for_another_cluster() -> None:
    given = own_cluster.given("1.29", "1.31", {"context": "mine"}, print)
    with pytest.raises(SettingsError, match="--from and --to are of the embedded cluster"), given:
        pass


def test_an_upgrade_needs_two_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["upgrade", "--from-revision", "stable"]) == 2
    assert "an upgrade needs two versions or two revisions" in capsys.readouterr().err


# -- proxies of the wrong revision


def pod(name: str, revision: str, **more: Any) -> dict[str, Any]:
    status = {"sidecar.istio.io/status": json.dumps({"revision": revision})} if revision else {}
    return {"metadata": {"name": name, "annotations": status, **more}}


class _Pods:
    """Pods by namespace."""

    def __init__(self, **pods: list[dict[str, Any]]) -> None:
        self.pods = pods

    def objects(self, _: str, kind: str, namespace: str) -> list[dict[str, Any]]:
        assert kind == "Pod"
        return self.pods[namespace]


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        ("1-29-1", "its proxy is of revision 1-29-1 and should be of 1-31-1"),  # a gateway left behind
        ("", r"its proxy is of revision \(none\) and should be of 1-31-1"),  # a namespace that nothing injects
    ],
)
def test_a_proxy_of_another_revision_is_named(seen: str, text: str) -> None:
    cluster: Any = _Pods(a=[pod("one", "1-31-1"), pod("two", seen), pod("gone", "1-29-1", deletionTimestamp="now")])
    sides = {OLD: BEFORE, NEW: AFTER}
    (event,) = moving.strays("moved", cluster, {"gateway": ["a"]}, MeshState(NEW, NEW, NEW), sides)
    assert (event.kind, event.what, event.phase) == ("revision", "a/two", "moved")
    assert re.fullmatch(text, event.text)


@pytest.mark.parametrize(("image", "known"), [("1.29.1", False), ("1.31.1", True), ("own-build", True)])
def test_a_proxy_of_the_old_version_by_the_new_revision_shows_nothing_of_it(image: str, known: bool) -> None:
    """The new control plane injects the old image: the right revision, and no proxy of the new version."""
    body = pod("one", "1-31-1")
    body["spec"] = {"containers": [{"name": "istio-proxy", "image": f"reg.test/proxyv2:{image}"}]}
    cluster: Any = _Pods(a=[body])
    found = moving.strays("moved", cluster, {"gateway": ["a"]}, MeshState(NEW, NEW, NEW), {OLD: BEFORE, NEW: AFTER})
    assert [(event.kind, event.what) for event in found] == ([] if known else [("not known", "a/one")])
    assert known or found[0].text == "its proxy is of 1.29.1, and 1-31-1 of 1.31.1: its own proxies are not shown"


def test_the_parts_are_namespaces_of_the_held_traffic() -> None:
    assert set(PARTS.values()) < set(NAMESPACES)
    assert Held("h", {name: name for name in NAMESPACES}).home == PARTS["client"]
