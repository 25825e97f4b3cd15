"""From what each process has written to the account of every flow: requests, failures, gaps, reconnections, leaks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clients.hold.flows import ANSWERED, ARRIVED, FLOWS, SERVER, Flow

_WRITTEN = frozenset({"requests", "outcomes", "first", "last_due", "gap", "connects", "connected", "runs", "more"})
"""What the generator writes of each flow."""
GOT_THROUGH = frozenset({ANSWERED, ARRIVED, "another answer"})
"""Outcomes that show that a request was not denied: an answer with status 200, or its arrival at the server."""
TOGETHER_S = 1.0
"""Rows of the same outcome that are no further apart are one; as the generator has it."""
FEW = 10
"""Requests that a flow's rate should allow for: of fewer, it means nothing that half of them are missing."""


@dataclass(frozen=True)
class Row:
    """Requests in a row with one outcome that was not due. Times are in seconds since 1970, by the node's clock."""

    start: float
    end: float
    outcome: str
    count: int

    @property
    def lasted_s(self) -> float:
        """From the sending of the first to the end of the last."""
        return self.end - self.start


@dataclass(frozen=True)
class Page:
    """What one process has written.

    Attributes:
        by: the client, or `server`.
        began, written: times of its first request and of its last writing.
        ended: it was asked to end, so that nothing is missing after `written`.
        flows: as the generator wrote them.
    """

    by: str
    pod: str
    began: float
    written: float
    ended: bool
    flows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Page:
        """The content of one ConfigMap.

        Raises:
            ValueError: it is not what the generator writes.
        """
        try:
            read = json.loads(text)
            began, written = read["began"] / 1000, read["written"] / 1000
            page = cls(str(read["by"]), str(read["pod"]), began, written, bool(read["ended"]), dict(read["flows"]))
            whole = all(own.keys() >= _WRITTEN for own in page.flows.values())
        except (ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise ValueError("it is no account of held traffic")
        return page

    @property
    def process(self) -> tuple[str, float]:
        """Which process wrote it: a container that starts again in its pod begins another account."""
        return self.pod, self.began


@dataclass(frozen=True)
class Account:
    """The account of one flow over all processes that sent it.

    Attributes:
        requests: that were sent.
        due: those that came to what they must come to: an answer, or the denial.
        rows: all others, in the order of time.
        unlisted: outcome → requests of further rows, of which only the number is known.
        gap_s: longest time in seconds between two due outcomes on one connection; it began at `gap_at`.
        reconnections: of a kept connection, and when each was.
        skipped: requests that its rate allows for and that no client sent, as it had no time or waited for an answer.
    """

    flow: Flow
    requests: int = 0
    due: int = 0
    rows: tuple[Row, ...] = ()
    unlisted: Mapping[str, int] = field(default_factory=dict)
    gap_s: float = 0.0
    gap_at: float = 0.0
    reconnections: int = 0
    reconnected_at: tuple[float, ...] = ()
    skipped: int = 0

    @property
    def leaks(self) -> tuple[Row, ...]:
        """Requests of a denied flow that got through."""
        return tuple(row for row in self.rows if row.outcome in GOT_THROUGH) if self.flow.denied else ()

    @property
    def leaked(self) -> int:
        """How many got through: by the answers that clients had, or by what arrived at the servers, if that is more."""
        if not self.flow.denied:
            return 0
        kinds = self.kinds
        return max(_answered(kinds), kinds.get(ARRIVED, 0))

    @property
    def lost(self) -> int:
        """Requests of an allowed flow without the server's answer."""
        return 0 if self.flow.denied else self.requests - self.due

    @property
    def other(self) -> int:
        """Requests of a denied flow that failed, but not as the denial does: what denied them is not known."""
        if not self.flow.denied:
            return 0
        return self.requests - self.due - _answered(self.kinds)

    @property
    def kinds(self) -> dict[str, int]:
        """Outcome → number of the requests that did not come to what was due."""
        found = Counter(self.unlisted)
        for row in self.rows:
            found[row.outcome] += row.count
        return dict(found)


def hardly_sent(sent: int, skipped: int) -> bool:
    """Whether less than half of a flow's requests were sent: a moment may have met none of them."""
    return skipped > sent and sent + skipped >= FEW


def accounts(pages: Sequence[Page], flows: Sequence[Flow] = FLOWS) -> list[Account]:
    """The account of every flow; of one that no process has sent, an empty one."""
    return [_account(flow, pages) for flow in flows]


def _account(flow: Flow, pages: Sequence[Page]) -> Account:
    sent = [(page, page.flows[flow.name]) for page in pages if page.by == flow.by and flow.name in page.flows]
    arrived = [page.flows[flow.name] for page in pages if page.by == SERVER and flow.name in page.flows]
    rows = [row for one in (*(own for _, own in sent), *arrived) for row in _rows(one)]
    gap_s, gap_at = max((_gap(page, own) for page, own in sent), default=(0.0, 0.0))
    lasting = [own for _, own in sent if flow.kept and not flow.denied]  # a stream that is denied never lasts
    more = [at / 1000 for own in lasting for at in own["connected"][1:]]
    connects = sum(max(own["connects"] - 1, 0) for own in lasting)
    requests = sum(own["requests"] for _, own in sent)
    unlisted = Counter[str]()
    for own in (*(own for _, own in sent), *arrived):
        unlisted.update(_unlisted(own, flow.due))
    at_rate = flow.rate * sum(page.written - page.began for page, _ in sent)
    return Account(
        flow=flow,
        requests=requests,
        due=sum(own["outcomes"].get(flow.due, 0) for _, own in sent),
        rows=merged(rows),
        unlisted=dict(unlisted),
        gap_s=gap_s,
        gap_at=gap_at,
        reconnections=connects,
        reconnected_at=tuple(sorted(more)),
        skipped=max(int(at_rate) - requests, 0),
    )


def _answered(kinds: Mapping[str, int]) -> int:
    """Requests of a denied flow that got through, by the answers that clients had."""
    return sum(count for kind, count in kinds.items() if kind in GOT_THROUGH and kind != ARRIVED)


def _unlisted(own: Mapping[str, Any], due: str) -> Counter[str]:
    """Requests by outcome that no row of a process has: of each flow it lists so many only."""
    found = Counter({kind: count for kind, count in own["outcomes"].items() if kind != due})
    for row in own["runs"]:
        found[row["outcome"]] -= row["count"]
    return +found


def _rows(own: Mapping[str, Any]) -> list[Row]:
    return [Row(row["from"] / 1000, row["to"] / 1000, row["outcome"], row["count"]) for row in own["runs"]]


def _gap(page: Page, own: Mapping[str, Any]) -> tuple[float, float]:
    """The longest gap of one process and when it began; one that goes on counts up to the last writing."""
    start, end = own["gap"]
    last = own["last_due"] or own["first"]
    going_on = page.written - last / 1000, last / 1000
    return max(((end - start) / 1000, start / 1000), going_on if not page.ended else (0.0, 0.0))


def merged(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows of several processes in the order of time; what is one event for a reader is one row."""
    made: list[Row] = []
    for row in sorted(rows, key=lambda one: (one.outcome, one.start)):
        last = made[-1] if made else None
        if last and last.outcome == row.outcome and row.start - last.end <= TOGETHER_S:
            made[-1] = Row(last.start, max(last.end, row.end), row.outcome, last.count + row.count)
        else:
            made.append(row)
    return tuple(sorted(made, key=lambda one: one.start))
