"""A followed log has every line once, whatever happens to the connection, the container or the pod."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from clients.kube import log_follower
from clients.kube.api import RequestError
from clients.kube.log_follower import LogFollower
from clients.kube.log_stream import LogStream, parsed, rfc3339
from clients.kube.pods import Pod
from clients.model.errors import AccessError, ClusterError

pytestmark = pytest.mark.unit

POD = Pod("shop", "cart-1", containers=("server",))


def line(second: float, text: str) -> str:
    return f"{rfc3339(1_800_000_000 + int(second))[:-1]}.{int(second % 1 * 1000):03d}Z {text}\n"


class Response:
    """Sends chunks; an exception among them breaks the connection, `WAITS` keeps it open until it is closed."""

    def __init__(self, chunks: Sequence[bytes | Exception]) -> None:
        self.chunks = chunks
        self.closed = threading.Event()

    def stream(self, _: int) -> Iterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            if chunk == WAITS:
                assert self.closed.wait(5)
                return
            yield chunk

    def shutdown(self) -> None:
        self.closed.set()

    close = shutdown


WAITS = b"(open)"
NOW = time.time
"""The API server's clock, whatever a test makes of this machine's."""


class LogServer:
    """Answers each connection with the next script, and asks for the pod with the next run of its container."""

    def __init__(self, *scripts: Sequence[bytes | Exception] | Exception) -> None:
        self.scripts = list(scripts)
        self.opened: list[dict[str, str]] = []
        self.runs: list[dict[str, Any] | None] = []
        self.before: str | Exception = ""
        self.newest_file = self.within = ""
        self.api = SimpleNamespace(stream=self.stream, text=self.text, time=NOW)

    def stream(self, _: str, query: list[tuple[str, str]], *, timeouts: Any, ride_out: bool) -> Response:
        assert not ride_out, "what is missing in a log must not be concluded from while it cannot be opened"
        self.opened.append(dict(query))
        script = self.scripts.pop(0) if self.scripts else [WAITS]
        if isinstance(script, Exception):
            raise script
        return Response(script)

    def text(self, _: str, query: list[tuple[str, str]]) -> str:
        if "limitBytes" in dict(query):
            return self.within if "sinceSeconds" in dict(query) else self.newest_file
        if isinstance(self.before, Exception):
            raise self.before
        return self.before

    def get(self, *_: str) -> dict[str, Any] | None:
        status = self.runs.pop(0) if len(self.runs) > 1 else self.runs[0] if self.runs else run("first")
        return None if status is None else {"metadata": {"uid": status.get("uid", "u")}, "status": status}


def run(name: str, restarts: int = 0, *, phase: str = "Running", before: str = "", began: str = "") -> dict[str, Any]:
    last = {"terminated": {"startedAt": before}} if before else {}
    state = {"running": {"startedAt": began}} if began else {}
    status = {"name": "server", "containerID": name, "restartCount": restarts, "state": state, "lastState": last}
    return {"phase": phase, "containerStatuses": [status]}


class Taken:
    """What a follower handed over."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.troubles: list[str] = []
        self.gap = self.missing = ""
        self.done = threading.Event()

    def add(self, lines: Sequence[str]) -> None:
        self.lines += lines

    def trouble(self, why: str) -> None:
        self.troubles.append(why)

    def broken(self, why: str) -> None:
        self.gap = why
        self.done.set()

    def lost(self, why: str) -> None:
        self.missing = why

    def ended(self) -> None:
        self.done.set()


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_follower, "AGAIN_S", (0.001,))
    monkeypatch.setattr(log_follower, "LOOK_S", 0.001)


def follow(server: LogServer, until: Callable[[Taken], bool], pod: Pod = POD, container: str = "server") -> Taken:
    taken = Taken()
    follower = LogFollower(server, pod, container, 60, taken)  # type: ignore[arg-type]
    deadline = time.monotonic() + 5
    while not until(taken) and time.monotonic() < deadline:
        time.sleep(0.001)
    assert until(taken), (taken.lines, taken.troubles, taken.gap)
    follower.close()
    return taken


def reads(*texts: str) -> Callable[[Taken], bool]:
    return lambda taken: len(taken.lines) >= len(texts)


def test_lines_come_as_they_are_written_also_torn_ones_once_they_are_whole() -> None:
    server = LogServer([line(1, "a").encode(), line(2, "b").encode()[:9], line(2, "b").encode()[9:], b"torn", WAITS])
    assert follow(server, reads("a", "b")).lines == ["a", "b"]
    assert server.opened[0]["follow"] == "true"
    assert int(server.opened[0]["sinceSeconds"]) >= 60


def test_a_lost_connection_loses_no_line_and_doubles_none() -> None:
    """Kubernetes starts again at a whole second: known lines come again, equal texts at other times are other lines."""
    first = [line(1, "a").encode(), (line(9.1, "b") + line(9.2, "b")).encode(), b"2026-01-", OSError("reset")]
    again = [(line(9.1, "b") + line(9.2, "b") + line(9.3, "late") + line(9.3, "b")).encode(), WAITS]
    server = LogServer(first, again)
    assert follow(server, lambda taken: len(taken.lines) >= 5).lines == ["a", "b", "b", "late", "b"]
    assert server.opened[1]["sinceTime"] == rfc3339(1_800_000_000 + 6)


@pytest.mark.parametrize(
    ("again", "missing"),
    [
        (line(9, "b") + line(10, "c"), False),
        (line(10, "c"), True),
        (line(8, "a") + line(10, "c"), True),
    ],
    ids=["the same file", "another file", "a part of it"],
)
def test_a_file_that_was_begun_while_the_log_was_not_read_is_noticed(again: str, missing: bool) -> None:
    """The node shows its newest file only: what was written to the one before, since the last line, is lost."""
    server = LogServer([(line(8, "a") + line(9, "b")).encode(), OSError("reset")], [again.encode(), WAITS])
    taken = follow(server, lambda taken: "c" in taken.lines)
    assert taken.lines == ["a", "b", "c"]
    assert bool(taken.missing) is missing
    assert taken.gap == ""


STARTED = rfc3339(1_800_000_000)


@pytest.mark.parametrize(
    ("container", "newest_file", "within", "missing"),
    [
        ("istio-proxy", line(2, "start"), line(900, "x"), False),
        ("istio-proxy", line(2, "start"), line(2, "start"), False),
        ("istio-proxy", line(500, "x"), line(900, "y"), False),
        ("istio-proxy", line(900, "x"), line(900, "x"), True),
        ("server", line(900, "x"), line(900, "x"), False),
    ],
    ids=["the first file", "a young one", "begun long ago", "begun since", "silent at its start"],
)
def test_a_file_that_was_begun_before_a_proxys_log_is_first_read_is_noticed(
    container: str, newest_file: str, within: str, missing: bool
) -> None:
    """What the file before it had of the time that matters is not shown, and would be taken for silence."""
    server = LogServer([line(901, "a").encode(), WAITS])
    server.runs = [run("first", began=STARTED)]
    server.runs[0]["containerStatuses"][0]["name"] = container  # type: ignore[index]
    server.newest_file, server.within = newest_file.rstrip("\n"), within
    taken = follow(server, reads("a"), container=container)
    assert taken.lines == ["a"]
    assert bool(taken.missing) is missing


@pytest.mark.parametrize(("began_before_s", "missing"), [(5.0, False), (1000.0, True)])
def test_only_a_proxy_that_has_just_started_may_have_printed_nothing(began_before_s: float, missing: bool) -> None:
    server = LogServer([line(1, "a").encode(), WAITS])
    server.runs = [run("first", began=rfc3339(time.time() - began_before_s))]
    server.runs[0]["containerStatuses"][0]["name"] = "istio-proxy"  # type: ignore[index]
    assert bool(follow(server, reads("a"), container="istio-proxy").missing) is missing


def test_a_line_that_was_written_out_of_order_is_not_lost() -> None:
    server = LogServer(
        [(line(5, "a") + line(7, "c")).encode()], [(line(5, "a") + line(6, "b") + line(7, "c")).encode(), WAITS]
    )
    assert sorted(follow(server, lambda taken: len(taken.lines) >= 3).lines) == ["a", "b", "c"]


def test_an_api_server_that_is_away_is_tried_again_and_its_error_is_known_meanwhile() -> None:
    taken = follow(LogServer(ClusterError("away"), [line(1, "a").encode(), WAITS]), reads("a"))
    assert taken.troubles[:2] == ["away", ""]
    assert taken.gap == ""


def test_a_log_that_must_not_be_read_is_broken_at_once() -> None:
    assert "refuses" in follow(LogServer(AccessError("the cluster refuses it")), lambda taken: taken.done.is_set()).gap


def test_what_is_no_log_breaks_it() -> None:
    assert gap_of(b"no time\n") == f"log of {POD} (server): a line without a time: no time"
    assert gap_of(b"x" * 5000 + b"\n").endswith(f": {'x' * 200}")


NO_WATCH = b"failed to create fsnotify watcher: too many open files"
"""What the kubelet writes in place of further lines where it cannot follow; it ends no line."""


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_a_log_that_a_node_cannot_follow_is_read_again_and_again(ending: bytes) -> None:
    """66 cases of a whole run were inconclusive on a node that had no inotify instance left."""
    first, more = line(1, "a").encode(), (line(1, "a") + line(2, "b")).encode()
    server = LogServer([first + NO_WATCH + ending], [first], [more], [more])
    taken = follow(server, lambda taken: len(taken.lines) >= 2 and len(server.opened) >= 4)
    assert (taken.lines, taken.gap) == (["a", "b"], "")
    assert [opened["follow"] for opened in server.opened[:4]] == ["true", "false", "false", "false"]
    assert not [trouble for trouble in taken.troubles if trouble], "it can be read"


def test_a_log_that_is_read_again_is_followed_once_the_node_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_follower, "UNWATCHED_S", 0.0)
    server = LogServer([NO_WATCH], [line(1, "a").encode(), WAITS])
    assert follow(server, reads("a")).lines == ["a"]
    assert [opened["follow"] for opened in server.opened] == ["true", "true"]


def test_the_error_of_a_kubelet_is_none_where_it_is_in_a_line_of_the_log() -> None:
    text = line(1, NO_WATCH.decode()).encode()
    assert follow(LogServer([text, WAITS]), lambda taken: bool(taken.lines)).lines == [NO_WATCH.decode()]


def gap_of(*chunks: bytes) -> str:
    return follow(LogServer(chunks), lambda taken: taken.done.is_set()).gap


def test_a_pod_that_is_gone_ends_its_log() -> None:
    server = LogServer([line(1, "a").encode()])
    server.runs = [run("first"), None]
    taken = follow(server, lambda taken: taken.done.is_set())
    assert (taken.lines, taken.gap) == (["a"], "")


@pytest.mark.parametrize("there", [None, run("first")], ids=["none", "another of its name"])
def test_a_pod_that_was_gone_before_its_log_was_read_breaks_it(there: dict[str, Any] | None) -> None:
    """Nothing is known of what it wrote: an empty log that has ended would be taken for a silent one."""
    server = LogServer([line(1, "of another").encode(), WAITS])
    server.runs = [there]
    taken = follow(server, lambda taken: taken.done.is_set(), replace(POD, uid="earlier"))
    assert (taken.lines, taken.gap) == ([], "log of shop/cart-1 (server): its pod was gone before it was read")
    assert not server.opened


def test_a_pod_that_takes_the_name_of_one_that_is_followed_ends_its_log() -> None:
    server = LogServer([line(1, "a").encode()], [line(2, "of another").encode(), WAITS])
    server.runs = [run("first"), {**run("second"), "uid": "later"}]
    taken = follow(server, lambda taken: taken.done.is_set(), replace(POD, uid="u"))
    assert (taken.lines, taken.gap) == (["a"], "")


def test_the_log_of_a_pod_that_has_succeeded_is_read_to_its_end() -> None:
    server = LogServer([line(1, "a").encode()], [(line(1, "a") + line(2, "b")).encode()])
    server.runs = [run("first"), run("first", phase="Succeeded")]
    taken = follow(server, lambda taken: taken.done.is_set())
    assert (taken.lines, taken.gap) == (["a", "b"], "")


def test_the_log_of_a_pod_that_has_succeeded_is_read_again_where_its_connection_broke() -> None:
    server = LogServer([line(1, "a").encode(), ConnectionError("reset")], [(line(1, "a") + line(2, "b")).encode()])
    server.runs = [run("first", phase="Succeeded")]
    assert follow(server, lambda taken: taken.done.is_set()).lines == ["a", "b"]


def test_a_container_that_is_restarted_meanwhile_breaks_its_log() -> None:
    server = LogServer([line(1, "a").encode()])
    server.runs = [run("first"), run("second", 1)]
    assert "restarted meanwhile" in follow(server, lambda taken: taken.done.is_set()).gap


def test_the_run_before_a_restart_is_part_of_the_log() -> None:
    server = LogServer([line(2, "b").encode(), WAITS])
    server.runs = [run("second", 1)]
    server.before = line(1, "a")
    assert follow(server, reads("a", "b")).lines == ["a", "b"]


def test_the_run_before_a_restart_has_a_file_of_its_own() -> None:
    """The first connection shows nothing yet; that the next one does not show the other file's lines loses nothing."""
    server = LogServer([OSError("reset")], [line(2, "b").encode(), WAITS])
    server.runs = [run("second", 1)]
    server.before = line(1, "a")
    taken = follow(server, reads("a", "b"))
    assert (taken.lines, taken.missing) == (["a", "b"], "")


@pytest.mark.parametrize(
    ("began_before_s", "gap"),
    [(100.0, True), (200.0, True), (3600.0, False)],
    ids=["since", "clocks differ", "long ago"],
)
def test_earlier_runs_count_also_where_the_nodes_clock_is_behind(began_before_s: float, gap: bool) -> None:
    """Of two restarts only the newest former log is kept; what came before matters if it may be of the last minute."""
    server = LogServer([line(2, "b").encode(), WAITS])
    server.runs = [run("third", 2, before=rfc3339(time.time() - began_before_s))]
    server.before = line(1, "a")
    taken = follow(server, lambda taken: taken.done.is_set() or len(taken.lines) == 2)
    assert bool(taken.gap) is gap


@pytest.mark.parametrize(("fast_s", "began_before_s", "gap"), [(3600.0, 100.0, True), (-7200.0, 3600.0, False)])
def test_earlier_runs_count_by_the_clusters_clock_whatever_this_machines_says(
    fast_s: float, began_before_s: float, gap: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fast clock of this machine hid a gap, and a slow one made one."""
    server = LogServer([line(2, "b").encode(), WAITS])
    server.runs = [run("third", 2, before=rfc3339(NOW() - began_before_s))]
    server.before = line(1, "a")
    monkeypatch.setattr("time.time", lambda: NOW() + fast_s)
    taken = follow(server, lambda taken: taken.done.is_set() or len(taken.lines) == 2)
    assert bool(taken.gap) is gap


def test_a_clock_that_is_set_meanwhile_cuts_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of day may go back by minutes between the creation and the first connection."""
    now = iter([1_800_000_000.0])
    monkeypatch.setattr(log_follower.time, "time", lambda: next(now, 1_800_000_000.0 - 120.0))
    server = LogServer([line(1, "a").encode(), WAITS])
    follow(server, reads("a"))
    assert int(server.opened[0]["sinceSeconds"]) >= 60


@pytest.mark.parametrize("several", [True, False])
def test_runs_whose_log_is_gone_break_it(several: bool) -> None:
    server = LogServer()
    server.runs = [run("third", 2, before="2999-01-01T00:00:00Z") if several else run("second", 1)]
    server.before = RequestError("GET", 400, "previous terminated container not found")
    taken = follow(server, lambda taken: taken.done.is_set() or any(taken.troubles))
    assert (taken.gap or taken.troubles[0]).endswith("restarted 2 times" if several else "before its restart is gone")


def test_a_dead_connection_is_opened_again_on_request() -> None:
    server = LogServer([line(1, "a").encode(), WAITS], [(line(1, "a") + line(2, "b")).encode(), WAITS])
    taken = Taken()
    follower = LogFollower(server, POD, "server", 60, taken)  # type: ignore[arg-type]
    deadline = time.monotonic() + 5
    while len(taken.lines) < 2 and time.monotonic() < deadline:
        if taken.lines:
            follower.refresh()
        time.sleep(0.005)
    follower.close()
    assert taken.lines == ["a", "b"]


def test_a_closed_stream_ends_the_reading() -> None:
    server = LogServer([WAITS])
    stream = LogStream(server, POD, "server", since_s=1)  # type: ignore[arg-type]
    threading.Timer(0.05, stream.close).start()
    assert list(stream.batches()) == []


def test_a_line_has_its_time_and_its_text() -> None:
    made = parsed("2026-11-27T18:36:40.123456789+01:00  two  blanks")
    assert made.text == " two  blanks"
    assert made.at == pytest.approx(1795801000.123456)
