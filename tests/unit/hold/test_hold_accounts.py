"""The accounts of held traffic: what is lost, what leaked and when, gaps, reconnections, and what was not observed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clients.hold.account import Page, Row, accounts, merged
from clients.hold.flows import BEAT_S, FLOWS, SERVER, TLS_NAMES
from clients.hold.holes import Hole, holes
from clients.hold.seen import Seen, phase_at
from reports import hold as shown
from runner.commands.hold import code

pytestmark = pytest.mark.unit

BY_NAME = {flow.name: flow for flow in FLOWS}
ROOT = Path(__file__).parents[3]
KEPT, DENIED = BY_NAME["mesh-http1-kept"], BY_NAME["mesh-http1-denied"]
AT = 1_800_000_000_000  # ms


def of_flow(**changes: Any) -> dict[str, Any]:
    """What the generator writes of a flow: one request with the due answer, but for the changes."""
    plain = {"requests": 1, "outcomes": {"answered": 1}, "first": AT, "last_due": AT + 900, "gap": [AT, AT + 100]}
    return {**plain, "connects": 1, "connected": [AT], "runs": [], "more": 0, **changes}


def page(flow: str, by: str, *, began: int = AT, written: int = AT + 1000, ended: bool = False, **of: Any) -> Page:
    """A page as it is read from a ConfigMap."""
    text = {"by": by, "pod": "p", "began": began, "written": written, "ended": ended, "flows": {flow: of_flow(**of)}}
    return Page.parse(json.dumps(text))


def seen(*pages: Page, marks: tuple[tuple[float, str], ...] = ((AT / 1000, "started"),)) -> Seen:
    found = accounts(pages, [KEPT, DENIED])
    return Seen("hold-1", AT / 1000, AT / 1000 + 1, tuple(found), marks)


def run(outcome: str, count: int, *, start: int = 0, end: int = 0) -> dict[str, Any]:
    return {"from": AT + start, "to": AT + end, "outcome": outcome, "count": count}


def test_a_request_without_the_servers_answer_is_lost() -> None:
    failed = page(KEPT.name, "sender", requests=10, outcomes={"answered": 7, "closed": 3}, runs=[run("closed", 3)])
    one = accounts([failed], [KEPT])[0]
    assert (one.requests, one.due, one.lost, one.kinds) == (10, 7, 3, {"closed": 3})
    assert (one.leaked, one.other) == (0, 0)


def test_a_denied_request_that_is_answered_is_a_leak_with_its_time_and_phase() -> None:
    leaked = page(
        DENIED.name,
        "stranger",
        requests=30,
        outcomes={"status 403": 24, "answered": 6},
        runs=[run("answered", 6, start=400, end=700)],
    )
    marks = ((AT / 1000, "before"), (AT / 1000 + 0.3, "moved"), (AT / 1000 + 0.8, "rolled back"))
    found = seen(leaked, marks=marks)
    assert (found.leaked, found.lost, found.other) == (6, 0, 0)
    (account, row) = found.leaks[0]
    assert row.lasted_s == pytest.approx(0.3, abs=1e-3)
    assert found.phase_at(row.start) == "moved"
    line = next(shown.lines(found))
    assert line.startswith(f"leak: {account.flow.name}, 6 x answered")
    assert line.endswith("in phase moved")
    assert code(found) == 1


def test_a_leak_that_only_the_server_saw_counts() -> None:
    """The answer was lost on its way back: the client saw a failure."""
    client = page(DENIED.name, "stranger", requests=1, outcomes={"timeout": 1}, runs=[run("timeout", 1)])
    server = page(DENIED.name, SERVER, requests=2, outcomes={"arrived": 2}, runs=[run("arrived", 2)])
    one = accounts([client, server], [DENIED])[0]
    assert (one.requests, one.leaked, one.other) == (1, 2, 1)


def test_a_leak_that_both_ends_saw_counts_once() -> None:
    client = page(DENIED.name, "stranger", requests=5, outcomes={"answered": 5}, runs=[run("answered", 5)])
    server = page(DENIED.name, SERVER, requests=5, outcomes={"arrived": 5}, runs=[run("arrived", 5)])
    one = accounts([client, server], [DENIED])[0]
    assert (one.leaked, one.other) == (5, 0)


def test_a_denial_of_another_kind_is_no_leak_and_not_what_is_due() -> None:
    """A 503 does not show that the policy denied the request."""
    found = seen(page(DENIED.name, "stranger", requests=4, outcomes={"status 503": 4}, runs=[run("status 503", 4)]))
    assert (found.leaked, found.lost, found.other) == (0, 0, 4)
    assert code(found) == 1
    assert "not denied as it must be" in next(shown.lines(found))


def test_all_of_several_pods_are_added_up() -> None:
    first = page(KEPT.name, "sender", requests=5, outcomes={"answered": 5}, ended=True)
    second = page(KEPT.name, "sender", began=AT + 900, requests=4, outcomes={"answered": 4}, gap=[AT, AT + 700])
    one = accounts([first, second], [KEPT])[0]
    assert (one.requests, one.lost) == (9, 0)
    assert one.gap_s == pytest.approx(0.7)


def test_a_gap_that_goes_on_counts_up_to_now() -> None:
    silent = page(KEPT.name, "sender", written=AT + 6000, last_due=AT + 1000)
    one = accounts([silent], [KEPT])[0]
    assert (one.gap_s, one.gap_at) == (pytest.approx(5.0), AT / 1000 + 1)


def test_of_a_process_that_has_ended_no_gap_goes_on() -> None:
    ended = page(KEPT.name, "sender", written=AT + 6000, last_due=AT + 1000, ended=True)
    assert accounts([ended], [KEPT])[0].gap_s == pytest.approx(0.1)


@pytest.mark.parametrize(("flow", "by", "count"), [(KEPT, "sender", 2), (DENIED, "stranger", 0)])
def test_reconnections_are_those_after_the_first_connection(flow: Any, by: str, count: int) -> None:
    """A stream that is denied never lasts."""
    again = page(flow.name, by, connects=3, connected=[AT, AT + 300, AT + 600])
    one = accounts([again], [flow])[0]
    assert one.reconnections == count
    assert one.reconnected_at == ((AT / 1000 + 0.3, AT / 1000 + 0.6) if count else ())


def test_a_time_without_any_process_is_not_observed() -> None:
    first = page(KEPT.name, "sender", written=AT + 10_000)
    second = page(KEPT.name, "sender", began=AT + 25_000, written=AT + 40_000)
    (hole,) = holes([first, second], AT / 1000, AT / 1000 + 41)
    assert hole == Hole("sender", AT / 1000 + 10, AT / 1000 + 25)


def test_two_processes_that_overlap_leave_no_hole() -> None:
    first = page(KEPT.name, "sender", written=AT + 10_000, ended=True)
    second = page(KEPT.name, "sender", began=AT + 9_000, written=AT + 20_000)
    assert not holes([first, second], AT / 1000, AT / 1000 + 21)


def test_a_process_that_died_is_not_observed_until_now() -> None:
    (hole,) = holes([page(KEPT.name, "sender", written=AT + 10_000)], AT / 1000, AT / 1000 + 30)
    assert (hole.start, hole.end) == (AT / 1000 + 10, AT / 1000 + 30)


@pytest.mark.parametrize(("ended", "number"), [(True, 0), (False, 1)])
def test_what_a_process_that_was_killed_saw_last_is_not_known(ended: bool, number: int) -> None:
    """It writes every two seconds: what came after that is in no account, however soon the next one begins."""
    first = page(KEPT.name, "sender", written=AT + 10_000, ended=ended)
    second = page(KEPT.name, "sender", began=AT + 11_500, written=AT + 20_000)
    assert len(holes([first, second], AT / 1000, AT / 1000 + 20, {second.process})) == number


def test_an_account_that_was_written_over_is_not_known() -> None:
    """A container of an image of before that crashed: a leak of then is in no account any more."""
    again = page(DENIED.name, "stranger", began=AT + 60_000, written=AT + 90_000, outcomes={"status 403": 1})
    (hole,) = holes([again], AT / 1000, AT / 1000 + 91)
    assert (hole.start, hole.end) == (AT / 1000, AT / 1000 + 60)


@pytest.mark.parametrize("off_s", [-30, 30])
def test_a_clock_that_is_off_is_no_hole(off_s: int) -> None:
    """The times of a page are those of its node, the others those of the API server."""
    off = off_s * 1000
    alive = page(KEPT.name, "sender", began=AT + off, written=AT + 60_000 + off)
    assert not holes([alive], AT / 1000, AT / 1000 + 61, {alive.process})


def test_a_leak_counts_also_where_its_row_is_not_listed() -> None:
    """The generator lists so many rows of a flow: after two hundred short troubles none is added."""
    rows = [run("status 503", 1, start=n * 2000, end=n * 2000) for n in range(200)]
    outcomes = {"status 403": 100, "status 503": 200, "answered": 4}
    client = page(DENIED.name, "stranger", requests=304, outcomes=outcomes, runs=rows, more=4)
    (one,) = accounts([client], [DENIED])
    assert (one.leaked, one.other, one.kinds["answered"]) == (4, 200, 4)
    assert any("4 x answered more" in line for line in shown.lines(seen(client)))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"by": "sender"}'])
def test_a_damaged_account_is_no_page(text: str) -> None:
    with pytest.raises(ValueError, match="no account"):
        Page.parse(text)


def test_an_account_that_misses_a_part_is_no_page() -> None:
    text = {"by": "sender", "pod": "p", "began": AT, "written": AT, "ended": False, "flows": {KEPT.name: {}}}
    with pytest.raises(ValueError, match="no account"):
        Page.parse(json.dumps(text))


def test_what_is_not_observed_makes_the_answer_not_known() -> None:
    denied = page(DENIED.name, "stranger", requests=10, outcomes={"status 403": 10})
    known = seen(page(KEPT.name, "sender", requests=10, outcomes={"answered": 10}), denied)
    assert code(known) == 0
    assert code(Seen("hold-1", 0, 1, known.accounts, known.marks, (Hole("sender", 1, 9),))) == 3
    assert code(Seen("hold-1", 0, 1, known.accounts, known.marks, (), (KEPT.name,))) == 3
    assert code(replace(known, unread=("hold-client/account-1",))) == 3


def test_rows_of_one_event_are_one() -> None:
    rows = [Row(10.0, 10.2, "closed", 2), Row(10.9, 11.0, "closed", 1), Row(10.1, 10.3, "timeout", 1)]
    assert merged([*rows, Row(20.0, 20.0, "closed", 1)]) == (
        Row(10.0, 11.0, "closed", 3),
        Row(10.1, 10.3, "timeout", 1),
        Row(20.0, 20.0, "closed", 1),
    )


@pytest.mark.parametrize(("moment", "name"), [(0.5, ""), (1.0, "a"), (1.9, "a"), (2.0, "b"), (99.0, "b")])
def test_a_moment_belongs_to_the_last_mark_before_it(moment: float, name: str) -> None:
    assert phase_at([(1.0, "a"), (2.0, "b")], moment) == name


def test_json_has_every_row_and_what_was_not_observed() -> None:
    outcomes = {"status 403": 9, "answered": 1}
    found = seen(page(DENIED.name, "stranger", requests=10, outcomes=outcomes, runs=[run("answered", 1, end=300)]))
    read = json.loads(json.dumps(shown.as_json(Seen("h", 0, 1, found.accounts, found.marks, (), (KEPT.name,)))))
    of = {one["name"]: one for one in read["flows"]}
    assert read["leaks"] == of[DENIED.name]["leaks"] == 1
    assert of[DENIED.name]["rows"][0]["leak"] is True
    assert read["not_observed"] == [{"flow": KEPT.name}]


def test_flows_have_names_of_their_own_and_each_denied_one_has_a_twin() -> None:
    assert len(BY_NAME) == len(FLOWS)
    assert sum(flow.rate for flow in FLOWS) >= 200
    allowed = {(flow.protocol, flow.address) for flow in FLOWS if not flow.denied}
    denied = {(flow.protocol, flow.address) for flow in FLOWS if flow.denied}
    by_name = ("http1", TLS_NAMES[2] + ":80")  # TLS that passes through is denied by its name: the twin has another
    assert denied - allowed == {by_name}
    assert {flow.name for flow in FLOWS if flow.address == by_name[1]} == {"passed-http1-denied"}


def test_all_flows_send_together() -> None:
    beats = [1 / (flow.rate * BEAT_S) for flow in FLOWS]
    assert beats == pytest.approx([round(count) for count in beats])


def test_a_policy_that_is_gone_for_a_third_of_a_second_is_seen() -> None:
    """On each port that is denied, for each way there."""
    ports = {(flow.name.partition("-")[0], flow.address) for flow in FLOWS if flow.denied}
    watched = {(flow.name.partition("-")[0], flow.address) for flow in FLOWS if flow.denied and flow.rate >= 10 / 3}
    assert watched == ports
    slower = {flow.name for flow in FLOWS if flow.denied and flow.rate < 5}
    assert slower == {"mesh-http1-fresh-denied", "mesh-websocket-denied", "passed-http1-denied"}


def test_names_of_tls_are_those_of_the_manifest() -> None:
    text = (ROOT / "manifests" / "hold" / "5-tls.yaml").read_text(encoding="utf-8")
    assert all(f"        - {name}\n" in text for name in TLS_NAMES), "the ingress gateway has a certificate for each"


def test_requests_that_clients_had_no_time_to_send_are_told() -> None:
    """A busy machine sends fewer: a short leak may then have met none of them."""
    at_rate = int(DENIED.rate * 10)
    half, third = at_rate // 2, at_rate // 3
    slow = page(DENIED.name, "stranger", written=AT + 10_000, requests=half, outcomes={"status 403": half})
    one = accounts([slow], [DENIED])[0]
    assert one.skipped == at_rate - at_rate // 2
    found = Seen("hold-1", AT / 1000, AT / 1000 + 10, (one,))
    assert any(line.startswith("sent late: 50% of the requests") for line in shown.lines(found))
    assert shown.as_json(found)["skipped_share"] == 0.5
    assert code(found) == 0
    slower = page(DENIED.name, "stranger", written=AT + 10_000, requests=third, outcomes={"status 403": third})
    few = replace(found, accounts=tuple(accounts([slower], [DENIED])))
    assert code(few) == 3
    assert any(line.startswith(f"not observed: of the flow {DENIED.name}") for line in shown.lines(few))
    whole = accounts([page(DENIED.name, "stranger", written=AT + 10_000, requests=at_rate)], [DENIED])[0]
    assert not [line for line in shown.lines(replace(found, accounts=(whole,))) if line.startswith("sent late")]
