"""Lines are found by request id and by client, and a log with a gap says so."""

from __future__ import annotations

import time

import pytest
from cluster_fakes import entry

from clients.mesh.access_logs import log_lines
from clients.mesh.access_logs.log_lines import LogLines
from clients.model.errors import InfrastructureError

pytestmark = pytest.mark.unit

LONG = "mp-run-0123456789ab"


def made(*lines: str) -> LogLines:
    found = LogLines("log of x", 0.0)
    found.add(lines)
    return found


@pytest.mark.parametrize("name", ["mp-1", LONG, "id with: odd.signs"])
def test_a_line_is_found_by_a_whole_id(name: str) -> None:
    lines = made(f'a "{name}"', f"b x{name}", f"c {name}-2", f"d user {name} end")
    assert lines.mentioning(name) == [f'a "{name}"', f"d user {name} end"]


def test_a_uuid_is_found_whatever_version_envoy_made_of_it() -> None:
    sent, logged = (f"978a35da-0a70-{version}3c6-9d2f-0123456789ab" for version in "49")
    assert made(f'a "{logged}" {logged}').mentioning(sent) == [f'a "{logged}" {logged}']


def test_no_id_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="no request id"):
        made("x").mentioning("")


def test_entries_are_found_by_id_and_by_the_end_of_the_user_agent() -> None:
    renamed = entry(LONG, "200", "-", "10.0.0.9:80").replace(f'"{LONG}"', '"another"')
    lines = made("no entry", entry("mp-1", "403", "x", "-"), renamed)
    assert [one.status for one in lines.of_requests({LONG, "mp-1"})] == [403, 200]
    lines.add([entry("mp-1", "200", "-", "-")])
    assert [one.status for one in lines.of_requests({"mp-1"})] == [403, 200]


def test_entries_of_a_client_are_those_since_a_time() -> None:
    old, new = (entry(name, "0", "-", "-").replace("- - - - default", "- - 10.0.0.5:41 - -") for name in ("o", "n"))
    lines = made(old)
    since = time.monotonic()
    lines.add([new])
    assert [one.request_id for one in lines.of_clients({"10.0.0.5:41"}, since)] == ["n"]
    assert [one.request_id for one in lines.of_clients({"10.0.0.5:41"}, 0.0)] == ["o", "n"]
    assert [one.request_id for one in lines.entries(since)] == ["n"]
    assert lines.lines(since) == [new]


def test_a_broken_log_says_so_whatever_it_holds() -> None:
    lines = made("a")
    lines.check(0.0)
    lines.broken("the pod was restarted")
    with pytest.raises(InfrastructureError, match="the pod was restarted"):
        lines.check(0.0)


def test_of_too_many_lines_the_older_are_dropped_and_are_not_vouched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "MAX_LINES", 4)
    lines = made("a", f"b {LONG}")
    before = time.monotonic()
    lines.add(["c", f"d {LONG}"])
    lines.add([entry("mp-1", "200", "-", "-")])
    assert lines.mentioning(LONG) == [f"d {LONG}"]
    assert len(lines.of_requests({"mp-1"})) == 1
    with pytest.raises(InfrastructureError, match="older lines are not known"):
        lines.check(0.0)
    lines.check(lines.since)
    assert lines.since >= before


def test_a_uuid_is_found_whatever_a_proxy_makes_of_its_version() -> None:
    sent, logged = "0f3a5c1e-7b2d-4e6f-9a01-23456789abcd", "0f3a5c1e-7b2d-9e6f-9a01-23456789abcd"
    line = entry(logged, "403", "x", "-")
    lines = made(entry("0f3a5c1e-7b2d-4e6f-9a01-23456789abce", "403", "x", "-"), line)
    assert set(lines.mentioning(sent)) == {line}
    assert [one.raw for one in lines.of_requests({sent})] == [line]


def test_an_entry_that_a_proxy_writes_twice_counts_once() -> None:
    """Two logs of one format, as a Telemetry and a filter may make: where entries are counted, half were enough."""
    lines = made(entry("mp-1", "200", "-", "-"), entry("mp-2", "200", "-", "-"), entry("mp-1", "200", "-", "-"))
    assert [one.request_id for one in lines.entries(0.0)] == ["mp-1", "mp-2"]
    lines.add([entry("mp-2", "200", "-", "-"), entry("mp-2", "503", "-", "-")])
    assert [(one.request_id, one.status) for one in lines.of_requests({"mp-2"})] == [("mp-2", 200), ("mp-2", 503)]
    assert lines.torn(0.0) == []
