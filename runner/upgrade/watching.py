"""What became of held traffic between two moments, flow by flow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from clients.hold.account import Account
from clients.hold.held import Held, check
from clients.hold.holes import Hole
from clients.hold.seen import Seen
from clients.kube.cluster import Cluster
from reports.hold import clock
from runner.upgrade.plan import MeshState, pair
from runner.upgrade.record import Cell, Event
from runner.upgrade.verdict import CUT, NOT_KNOWN_KIND

CUT_AT_MOST = 2
"""Requests that one flow may lose by that in one move: one for each of the two replicas that are replaced."""
STREAMS = frozenset({"grpc", "tcp", "websocket"})


class Watch:
    """Looks at held traffic again and again; each look is compared with the one before."""

    def __init__(self, cluster: Cluster, held: Held) -> None:
        self._cluster, self._held = cluster, held
        self._moved: tuple[Cell, ...] = ()
        self._holes: set[Hole] = set()
        self.seen = Seen(held.id, 0.0, 0.0)  # from its start on: what came before the first look counts too

    def cells(self, state: MeshState, *, moving: bool) -> tuple[Cell, ...]:
        """A cell for each flow, of the time since the last look."""
        before, self.seen = self.seen, check(self._cluster, self._held, self.seen.pages)
        was = {one.flow: one for one in before.accounts}
        left = {one.flow: CUT_AT_MOST - one.cut for one in self._moved}
        found = tuple(
            cell(
                was.get(one.flow) or Account(one.flow),
                one,
                state,
                before.until,
                moving=moving,
                left=left.get(one.flow.name, 0),
            )
            for one in self.seen.accounts
        )
        self._moved = found if moving else ()
        return found

    def holes(self, phase: str) -> list[Event]:
        """Times that no process has observed, but for those that were named before; and accounts that are damaged."""
        new = [hole for hole in self.seen.holes if hole not in self._holes]
        self._holes.update(new)
        texts = [
            (one.by, f"its requests were not observed for {one.end - one.start:.1f} s from {clock(one.start)}")
            for one in new
        ]
        texts += [(name, "this account of a process cannot be read") for name in self.seen.unread]
        return [Event(phase, NOT_KNOWN_KIND, what, text) for what, text in texts]


def cell(was: Account, now: Account, state: MeshState, since: float, *, moving: bool, left: int = 0) -> Cell:
    """What became of a flow between two accounts of it.

    Args:
        since: time of the earlier account, in seconds since 1970.
        left: where pods were replaced until then, how many requests more may have been cut by that. A client writes
            down how a request ended up to some seconds later.
    """
    kinds = Counter(now.kinds)
    kinds.subtract(was.kinds)
    lost = now.lost - was.lost
    cut = min(_cut(now, kinds), lost) if moving else min(_cut(now, kinds), lost, left, _sent_before(now, since))
    return Cell(
        flow=now.flow.name,
        pair=pair(now.flow.name, state),
        moving=moving,
        requests=now.requests - was.requests,
        lost=lost - cut,
        cut=cut,
        leaked=now.leaked - was.leaked,
        other=now.other - was.other,
        skipped=max(now.skipped - was.skipped, 0),
        kinds={kind: count for kind, count in kinds.items() if count > 0},
        when=_first(now, since, kinds),
    )


def _cut(now: Account, kinds: Mapping[str, int]) -> int:
    """Requests that were on their way when the pod went whose stream they were on.

    A proxy that ends lets its clients know, and closes what is left after its drain time: a stream of HTTP ends then as
    any connection of TCP does. That is so whenever a pod is replaced, in an upgrade or not.
    """
    if not (now.flow.kept and now.flow.protocol in STREAMS):
        return 0
    return min(sum(max(kinds.get(kind, 0), 0) for kind in CUT), CUT_AT_MOST)


def _sent_before(now: Account, moment: float) -> int:
    """Requests that were sent before a moment, on a stream whose connection ended."""
    return sum(row.count for row in now.rows if row.outcome in CUT and row.start <= moment)


def _first(now: Account, since: float, kinds: Mapping[str, int]) -> str:
    """The first row of this time: one that began before may go on in it."""
    rows = [row for row in now.rows if row.end >= since and kinds.get(row.outcome, 0) > 0]
    return f"at {clock(rows[0].start)}, for {rows[0].lasted_s:.2f} s" if rows else ""


def totals(seen: Seen) -> tuple[int, float]:
    """All requests so far, and the longest gap in seconds."""
    return seen.requests, seen.longest_gap_s
