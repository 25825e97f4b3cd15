"""Answers that are shared for a moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from clients.kube.recent import Recent

pytestmark = pytest.mark.unit


def test_an_answer_is_given_again_for_a_moment_and_until_it_is_forgotten():
    recent: Recent[int] = Recent(60.0)
    answers = iter([1, 2, 3])
    assert [recent.get("a", lambda: next(answers)), recent.get("a", lambda: next(answers))] == [1, 1]
    assert recent.get("b", lambda: next(answers)) == 2
    recent.forget()
    assert recent.get("a", lambda: next(answers)) == 3


def test_an_old_answer_is_not_given_again():
    recent: Recent[int] = Recent(0.0)
    answers = iter([1, 2])
    assert [recent.get("a", lambda: next(answers)), recent.get("a", lambda: next(answers))] == [1, 2]


def test_those_who_ask_meanwhile_get_the_answer_of_the_first():
    recent: Recent[int] = Recent(60.0)
    asked, go = [], threading.Event()

    def ask() -> int:
        asked.append(1)
        go.wait(10)
        return len(asked)

    with ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(recent.get, "a", ask) for _ in range(4)]
        go.set()
        assert [answer.result() for answer in answers] == [1, 1, 1, 1]


def test_an_error_is_not_kept():
    recent: Recent[int] = Recent(60.0)
    with pytest.raises(ZeroDivisionError):
        recent.get("a", lambda: 1 // 0)
    assert recent.get("a", lambda: 1) == 1
