"""Each container's log is followed once, and a later pod of the same name has a log of its own."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from clients.kube.pods import Pod
from clients.mesh.access_logs import followed_logs
from clients.mesh.access_logs.followed_logs import FollowedLogs
from clients.mesh.access_logs.log_lines import LogLines
from clients.mesh.access_logs.logs import LogSource
from clients.model.errors import InfrastructureError

pytestmark = pytest.mark.unit

OLD = Pod("shop", "cart-0", containers=("server",), uid="u-1")
NEW = replace(OLD, uid="u-2")


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> FollowedLogs:
    def follow(_: Any, pod: Pod, container: str, since_s: int, sink: LogLines) -> Any:
        sink.add([f"of {pod.uid}"])
        return type("Follower", (), {"close": lambda _: None, "refresh": lambda _: sink.add(["again"])})()

    monkeypatch.setattr(followed_logs, "LogFollower", follow)
    return FollowedLogs(None)  # type: ignore[arg-type]


def test_a_log_is_followed_once_for_all_that_need_it(logs: FollowedLogs) -> None:
    since = time.monotonic()
    first = logs.of(LogSource(OLD, "server"), since)
    assert logs.of(LogSource(OLD, "server"), since + 1.0) is first
    assert logs.of(LogSource(OLD, "server"), since - 1.0) is not first, "older lines are not known"


def test_a_later_pod_of_the_same_name_has_a_log_of_its_own(logs: FollowedLogs) -> None:
    """What the one before it wrote is not in it, so it must not be taken for that one's."""
    since = time.monotonic()
    first, later = logs.of(LogSource(OLD, "server"), since), logs.of(LogSource(NEW, "server"), since)
    assert (first.lines(since), later.lines(since)) == (["of u-1"], ["of u-2"])
    logs.refresh(LogSource(OLD, "server"))
    assert first.lines(since) == ["of u-1", "again"]


def test_a_log_with_a_gap_is_followed_again(logs: FollowedLogs) -> None:
    since = time.monotonic()
    first = logs.of(LogSource(OLD, "server"), since)
    first.broken("it was restarted meanwhile")
    assert logs.of(LogSource(OLD, "server"), since) is not first


def test_what_a_log_has_lost_for_good_is_not_looked_for_again(logs: FollowedLogs) -> None:
    """Another follower would read the node's newest file alone, and take it for the whole log."""
    since = time.monotonic()
    first = logs.of(LogSource(OLD, "server"), since)
    first.lost("its node began another file")
    assert logs.of(LogSource(OLD, "server"), since) is first
    with pytest.raises(InfrastructureError, match="began another file"):
        first.check(since)
    later = time.monotonic()
    assert logs.of(LogSource(OLD, "server"), later) is first
    first.check(later)
