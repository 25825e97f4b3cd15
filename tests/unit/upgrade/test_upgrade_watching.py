"""What an upgrade takes from looks at held traffic: all of it, each part once, and in its phase."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clients.hold.account import Account, Row
from clients.hold.flows import FLOWS
from clients.hold.held import Held
from clients.hold.holes import Hole
from clients.hold.seen import Seen
from runner.upgrade import watching
from runner.upgrade.plan import MeshState
from runner.upgrade.watching import Watch

pytestmark = pytest.mark.unit

BY_NAME = {flow.name: flow for flow in FLOWS}
DENIED = BY_NAME["mesh-http1-denied"]
Looks = Callable[..., Watch]


@pytest.fixture
def watch_of(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """A watch that sees these, one after the other."""

    def made(*looks: Seen) -> Watch:
        left: Iterator[Seen] = iter(looks)
        monkeypatch.setattr(watching, "check", lambda *_: next(left))
        cluster: Any = None
        return Watch(cluster, Held("h", {}))

    return made


def seen(*holes: Hole, account: Account | None = None, **more: Any) -> Seen:
    return Seen("h", 0.0, 1.0, (account or Account(DENIED, 10, 10),), holes=holes, **more)


def test_what_leaked_before_the_first_look_counts(watch_of: Looks) -> None:
    watch = watch_of(seen(account=Account(DENIED, 10, 7, (Row(1.0, 1.3, "answered", 3),))))
    [cell] = watch.cells(MeshState(), moving=False)
    assert (cell.requests, cell.leaked) == (10, 3)


def test_a_hole_belongs_to_the_phase_that_sees_it_first(watch_of: Looks) -> None:
    """Also one that began in the phase before, after its last look; and whatever the clock of the node says."""
    early, late = Hole("sender", -3600.0, -3590.0), Hole("stranger", 50.0, 58.0)
    watch = watch_of(seen(), seen(early), seen(early, late))
    found = []
    for phase in ("before", "canary", "mixed"):
        watch.cells(MeshState(), moving=False)
        found.append([event.what for event in watch.holes(phase)])
    assert found == [[], ["sender"], ["stranger"]]


def test_a_hole_that_goes_on_is_named_in_the_next_phase_too(watch_of: Looks) -> None:
    watch = watch_of(seen(Hole("sender", 10.0, 20.0)), seen(Hole("sender", 10.0, 90.0)))
    for phase in ("before", "canary"):
        watch.cells(MeshState(), moving=False)
        assert [event.phase for event in watch.holes(phase)] == [phase]


def test_an_account_that_cannot_be_read_is_not_known(watch_of: Looks) -> None:
    watch = watch_of(seen(unread=("mp-1-hold-client/account-1",)))
    watch.cells(MeshState(), moving=False)
    [event] = watch.holes("mixed")
    assert (event.kind, event.what) == ("not known", "mp-1-hold-client/account-1")
