"""Probe sessions: framing, and output that is lost or torn."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from clients.model.errors import InfrastructureError
from clients.model.outcome import Outcome, OutcomeKind
from clients.probe.request import Request
from clients.probe.session import SHARED, SLACK_S, ProbeSession

pytestmark = pytest.mark.unit

ANSWER = '{"exitcode":0,"http_code":200,"num_connects":1,"errormsg":null,"remote_ip":"10.0.0.1","remote_port":80}'


class Shell:
    """Answers a batch as curl would; `tear` changes the output, or raises."""

    def __init__(self, tear: Callable[[str], str] = lambda text: text) -> None:
        self.tear = tear
        self.is_open = True
        self.scripts: list[str] = []
        self.limits: list[float] = []

    def write(self, text: str) -> None:
        self.scripts.append(text)

    def read_until(self, complete: Callable[[str], bool], timeout_s: float) -> str:
        self.limits.append(timeout_s)
        script = self.scripts[-1]
        sentinel = re.search(r"mp[0-9a-f]{32}", script).group()
        numbers = re.findall(rf"{sentinel} (\d+) %", script)
        frames = "".join(f"HTTP/1.1 200 OK\r\n\r\nbody {n}\n{sentinel} {n} {ANSWER}\n" for n in numbers)
        text = self.tear(f"\n{sentinel} begin -\n{frames}\n{sentinel} end 0\n")
        if not complete(text):
            raise InfrastructureError("no complete answer")
        return text

    def close(self) -> None:
        self.is_open = False


def requests(count: int) -> list[Request]:
    return [
        Request("GET", "http://httpbin/ip", (), f"id-{n}", f"meshproof/X id-{n}", timeout_s=2.0) for n in range(count)
    ]


def session_of(*shells: Shell) -> tuple[ProbeSession, list[Shell]]:
    waiting = list(shells)
    opened: list[Shell] = []

    def open_shell() -> Shell:
        opened.append(waiting.pop(0))
        return opened[-1]

    return ProbeSession(open_shell), opened


def test_outcomes_come_in_the_order_of_the_requests():
    session, _ = session_of(Shell())
    outcomes = session.run(requests(3))
    assert [(o.request_id, o.status, o.body) for o in outcomes] == [(f"id-{n}", 200, f"body {n}") for n in range(3)]


def test_one_shell_serves_many_batches():
    session, opened = session_of(Shell())
    session.run(requests(1))
    session.run(requests(1))
    assert len(opened) == 1
    assert len(opened[0].scripts) == 2


def test_each_request_has_the_next_port():
    shell = Shell()
    session = ProbeSession(lambda: shell, itertools.count(20_000))
    session.run(requests(2))
    session.run(requests(1))
    ports = [re.findall(r"^local-port = (\d+)-", script, re.MULTILINE) for script in shell.scripts]
    assert ports == [["20000", "20001"], ["20002"]]


def test_without_ports_the_system_chooses():
    session, [] = session_of(shell := Shell())
    session.run(requests(1))
    assert "local-port" not in shell.scripts[0]


def test_no_request_opens_no_shell():
    session, opened = session_of()
    assert session.run([]) == []
    assert opened == []


def test_lost_output_is_infrastructure_and_the_next_batch_has_a_new_shell():
    session, opened = session_of(Shell(lambda _: ""), Shell())
    assert [o.kind for o in session.run(requests(2))] == [OutcomeKind.INFRASTRUCTURE] * 2
    assert not opened[0].is_open
    assert [o.status for o in session.run(requests(2))] == [200, 200]
    assert len(opened) == 2


def test_a_torn_frame_costs_only_its_own_request():
    session, _ = session_of(Shell(lambda text: re.sub(r"HTTP/1.1 200 OK\r\n\r\nbody 1\n\S+ 1 .*\n", "", text)))
    assert [o.kind for o in session.run(requests(3))] == [
        OutcomeKind.STATUS,
        OutcomeKind.INFRASTRUCTURE,
        OutcomeKind.STATUS,
    ]


def test_a_shell_that_cannot_be_opened_is_infrastructure():
    def refuse() -> Shell:
        raise InfrastructureError("exec forbidden")

    [outcome] = ProbeSession(refuse).run(requests(1))
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert outcome.exit_code is None
    assert outcome.error == "exec forbidden"


def test_a_shell_that_has_gone_is_replaced_before_the_batch():
    session, opened = session_of(Shell(), Shell())
    session.run(requests(1))
    opened[0].is_open = False
    assert session.run(requests(1))[0].status == 200
    assert len(opened) == 2


def test_an_interrupt_drops_the_shell_with_its_pending_output():
    def interrupt(_: str) -> str:
        raise KeyboardInterrupt

    session, opened = session_of(Shell(interrupt), Shell())
    with pytest.raises(KeyboardInterrupt):
        session.run(requests(1))
    assert not opened[0].is_open
    assert session.run(requests(1))[0].status == 200


def test_output_is_waited_for_as_long_as_the_transfers_may_take():
    session, opened = session_of(Shell())
    session.run(requests(4))
    session.run(requests(4), parallel=True)
    assert opened[0].limits == [SLACK_S + 8.0, SLACK_S + 2.0]


class BusyShell(Shell):
    """Its first batch takes until `free` is set; `busy` is set when it has begun."""

    def __init__(self, tear: Callable[[str], str] = lambda text: text) -> None:
        super().__init__(tear)
        self.busy, self.free = threading.Event(), threading.Event()

    def read_until(self, complete: Callable[[str], bool], timeout_s: float) -> str:
        self.busy.set()
        assert self.free.wait(10)
        return super().read_until(complete, timeout_s)


def while_busy(shell: BusyShell, *waiting: tuple[int, bool]) -> tuple[ProbeSession, list[Future[list[Outcome]]]]:
    """One request that keeps the shell busy, then further threads that wait: each (number of requests, parallel)."""
    session, _ = session_of(shell, Shell())
    with ThreadPoolExecutor(len(waiting) + 1) as threads:
        futures = [threads.submit(session.run, requests(1))]
        assert shell.busy.wait(10)
        for number, (count, parallel) in enumerate(waiting, 1):
            futures.append(threads.submit(session.run, named(f"t{number}", count), parallel=parallel))
            while len(session._waiting) < number:
                time.sleep(0.001)
        shell.free.set()
    return session, futures


def named(name: str, count: int) -> list[Request]:
    return [Request("GET", "http://httpbin/ip", (), f"{name}-{n}", f"meshproof/X {name}-{n}") for n in range(count)]


def sent(script: str) -> int:
    return script.count("url = ")


def test_waiting_requests_are_sent_with_the_next_batch():
    shell = BusyShell()
    _, futures = while_busy(shell, (3, False), (1, False), (2, False))
    assert [sent(script) for script in shell.scripts] == [1, 6]
    for number, count in ((1, 3), (2, 1), (3, 2)):
        assert [o.request_id for o in futures[number].result()] == [f"t{number}-{n}" for n in range(count)]
        assert {o.status for o in futures[number].result()} == {200}


def test_a_shared_batch_has_a_limit():
    shell = BusyShell()
    while_busy(shell, (SHARED - 2, False), (2, False), (1, False))
    assert [sent(script) for script in shell.scripts] == [1, SHARED, 1]


def test_the_batch_of_one_thread_may_be_larger():
    session, opened = session_of(Shell())
    assert len(session.run(named("t", SHARED + 1))) == SHARED + 1
    assert [sent(script) for script in opened[0].scripts] == [SHARED + 1]


def test_a_parallel_batch_has_no_requests_of_other_threads():
    shell = BusyShell()
    while_busy(shell, (1, False), (2, True), (1, False))
    assert [sent(script) for script in shell.scripts] == [1, 1, 2, 1]


def test_a_lost_batch_affects_all_of_its_threads_and_no_later_batch():
    shell = BusyShell(lambda text: "" if " 1 " in text else text)
    session, futures = while_busy(shell, (1, False), (1, False))
    assert [f.result()[0].kind for f in futures] == [OutcomeKind.STATUS, *[OutcomeKind.INFRASTRUCTURE] * 2]
    assert session.run(requests(1))[0].status == 200


def test_an_interrupted_batch_leaves_no_thread_waiting():
    def interrupt(text: str) -> str:
        if " 1 " in text:
            raise KeyboardInterrupt
        return text

    shell = BusyShell(interrupt)
    _, futures = while_busy(shell, (1, False), (1, False))
    ended = [future.exception() for future in futures]
    assert sum(isinstance(one, KeyboardInterrupt) for one in ended) == 1
    [left] = [future.result()[0] for future, error in zip(futures[1:], ended[1:], strict=True) if error is None]
    assert left.kind is OutcomeKind.INFRASTRUCTURE


def test_an_invalid_request_is_refused_in_its_own_thread():
    session, opened = session_of(Shell())
    with pytest.raises(ValueError, match="control character"):
        session.run([Request("GET", "http://h/", (("x", "a\nb"),), "id-0", "x")])
    assert opened == []


def test_an_ordinary_request_has_a_port_of_its_own_range():
    shell = Shell()
    session = ProbeSession(lambda: shell, itertools.count(20_000), iter([40_000, 41_000]))
    batch = requests(4)
    session.run([replace(one, ordinary=number in (1, 2)) for number, one in enumerate(batch)])
    ports = re.findall(r"^local-port = (\S+)$", shell.scripts[0], re.MULTILINE)
    assert ports == ["20000-20015", "20001-20016", "40000-40015", "41000-41015"]
