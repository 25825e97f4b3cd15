"""What was seen of held traffic up to a moment: the accounts of all flows, and the marks of what was done meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from clients.hold.account import Account, Page, Row, hardly_sent
from clients.hold.holes import Hole


@dataclass(frozen=True)
class Seen:
    """What was seen of held traffic up to a moment. Times are in seconds since 1970.

    Attributes:
        marks: (time, name): the start, and the phases that others have marked since.
        holes: times of which nothing is known.
        silent: flows that no process has sent.
        unread: accounts of processes that are not what they write.
        pages: what the processes have written.
    """

    id: str
    since: float
    until: float
    accounts: tuple[Account, ...] = ()
    marks: tuple[tuple[float, str], ...] = ()
    holes: tuple[Hole, ...] = ()
    silent: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ()

    @property
    def requests(self) -> int:
        """All that were sent."""
        return sum(one.requests for one in self.accounts)

    @property
    def lost(self) -> int:
        """Those of allowed flows without the server's answer."""
        return sum(one.lost for one in self.accounts)

    @property
    def leaked(self) -> int:
        """Those of denied flows that got through."""
        return sum(one.leaked for one in self.accounts)

    @property
    def longest_gap_s(self) -> float:
        """Of all allowed flows."""
        return max((one.gap_s for one in self.accounts if not one.flow.denied), default=0.0)

    @property
    def other(self) -> int:
        """Those of denied flows that failed otherwise than a denial does."""
        return sum(one.other for one in self.accounts)

    @property
    def skipped(self) -> float:
        """Share of the requests that the flows' rates allow for and that were not sent, from 0 to 1."""
        skipped = sum(one.skipped for one in self.accounts)
        return skipped / (self.requests + skipped) if skipped else 0.0

    @property
    def leaks(self) -> list[tuple[Account, Row]]:
        """Each leak with its flow, in the order of time."""
        found = [(one, row) for one in self.accounts for row in one.leaks]
        return sorted(found, key=lambda pair: pair[1].start)

    @property
    def hardly(self) -> tuple[Account, ...]:
        """The flows of which less than half of the requests were sent; those that sent none are `silent`."""
        return tuple(one for one in self.accounts if one.requests and hardly_sent(one.requests, one.skipped))

    @property
    def certain(self) -> bool:
        """Whether everything was observed."""
        return not (self.holes or self.silent or self.unread or self.hardly)

    def phase_at(self, moment: float) -> str:
        """The name of the last mark before a moment; empty before the first."""
        return phase_at(self.marks, moment)


def phase_at(marks: Sequence[tuple[float, str]], moment: float) -> str:
    """The name of the last mark before a moment; empty before the first."""
    names = [name for (at, name), (after, _) in pairwise([*marks, (float("inf"), "")]) if at <= moment < after]
    return names[0] if names else ""
