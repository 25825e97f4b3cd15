"""Probes like a user's requests: which of all, and that a mesh which knows the others is found out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from clients.model.attempt import Attempt, Phase
from clients.model.outcome import OutcomeKind
from clients.probe import ordinary

pytestmark = pytest.mark.unit


def attempt(matched: bool, *, like_a_users: bool, kind: OutcomeKind = OutcomeKind.STATUS) -> Attempt:
    summary = "403" if matched else "200"
    return Attempt(0.1, Phase.CONFIRM, matched, summary, "x", kind=kind, ordinary=like_a_users)


def row(marked: bool, like_a_users: bool, rounds: int = 8) -> list[Attempt]:
    one = [*[attempt(marked, like_a_users=False)] * 3, attempt(like_a_users, like_a_users=True)]
    return one * rounds


@pytest.mark.parametrize("count", [2, 3, 4, 8, 16, 32])
def test_every_batch_of_several_has_an_ordinary_one(count: int) -> None:
    for before in range(8):
        chosen = ordinary.chosen(count, before)
        assert len(chosen) == max(1, count // 4)
        assert chosen <= set(range(count))


def test_every_fourth_of_single_probes_is_ordinary() -> None:
    assert [len(ordinary.chosen(1, before)) for before in range(8)] == [0, 0, 0, 1, 0, 0, 0, 1]
    assert ordinary.chosen(0, 3) == frozenset()


def test_every_place_of_a_batch_has_its_turn() -> None:
    """A batch is spread over the client's pods by place, so a fixed one would leave a pod out."""
    assert set().union(*(ordinary.chosen(4, 0) for _ in range(200))) == {0, 1, 2, 3}


def test_no_port_comes_twice_and_each_is_of_the_systems_own_range() -> None:
    ports = list(islice(ordinary.ports(), len(ordinary.PORTS)))
    assert len(set(ports)) == len(ports)
    assert set(ports) == set(ordinary.PORTS)
    assert ports != sorted(ports)


def test_every_kind_of_program_has_its_turn_and_the_first_is_another_each_time() -> None:
    first = {next(ordinary.agents()) for _ in range(200)}
    assert first == set(ordinary.AGENTS)
    assert set(islice(ordinary.agents(), len(ordinary.AGENTS))) == set(ordinary.AGENTS)
    assert "" in ordinary.AGENTS
    assert not any("meshproof" in agent for agent in ordinary.AGENTS)


def test_a_browser_sends_what_browsers_send_and_nothing_twice() -> None:
    browsers = [agent for agent in ordinary.AGENTS if agent.startswith("Mozilla/")]
    assert len(browsers) == 2
    for agent in browsers:
        assert {name for name, _ in ordinary.headers(agent, ())} == {"accept", "accept-language", "referer", "cookie"}
        assert "cookie" not in dict(ordinary.headers(agent, {"cookie"}))
    assert not [agent for agent in set(ordinary.AGENTS) - set(browsers) if ordinary.headers(agent, ())]


def test_ids_are_random_uuids() -> None:
    first, second = ordinary.new_id(), ordinary.new_id()
    assert first != second
    assert (len(first), first[14]) == (36, "4")


@pytest.mark.parametrize(
    ("attempts", "difference"),
    [
        (row(True, False), "they see 403, ordinary ones 200"),
        (row(False, True), "they see 200, ordinary ones 403"),
        (row(True, True), ""),
        (row(False, False), ""),
        ([*row(False, False), *row(True, False)], "they see 403"),
        (row(True, False)[:4], ""),  # a single one may have been stale
        ([*row(True, False, 1), *row(True, True)], ""),  # answers while the change spread
        ([attempt(True, like_a_users=False)] * 20, ""),
        ([], ""),
    ],
)
def test_a_difference_is_one_that_lasts(attempts: list[Attempt], difference: str) -> None:
    assert difference in ordinary.difference(attempts)
    assert bool(difference) == bool(ordinary.difference(attempts))


def test_probes_that_did_not_run_make_no_difference() -> None:
    lost = attempt(False, like_a_users=True, kind=OutcomeKind.INFRASTRUCTURE)
    assert ordinary.difference([*[attempt(True, like_a_users=False)] * 8, *[lost] * 8]) == ""


def test_several_threads_take_ports() -> None:
    """Sessions of the containers of one pod share them."""
    ports = ordinary.ports()
    with ThreadPoolExecutor(8) as threads:
        taken = [port for few in threads.map(lambda _: [next(ports) for _ in range(500)], range(16)) for port in few]
    assert len(set(taken)) == len(taken)
