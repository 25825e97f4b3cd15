"""Requests that an application had past the log of its own sidecar: it has printed more lines of them than that has."""

from __future__ import annotations

import re
import time
from collections.abc import Set

from clients.mesh.access_logs import accesslog
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.access_logs.log_lines import LogLines
from clients.model.polling import look_until
from clients.proof.logs.late_entries import POLL_S, readable
from clients.proof.logs.log_entries import LOG_BUDGET_S
from clients.proof.proving import ProvingCase

FEWEST = 4
"""Copies of fewer requests are not distinguished from entries that are about to come, or that came just before."""
_CALIBRATES = 3
"""Requests of the harness's own that must show how an application logs a request."""
_NO_NUMBER = re.compile(r"\D{0,4}")
"""Characters after the path by which kinds of lines differ: ` HTTP`, `","m`."""
_PROBE = "kube-probe/"
"""User agent of kubelet's probes, which do not pass the sidecar's log."""


def past_the_log(proving: ProvingCase, own: LogLines, lines: LogLines, since: float) -> list[str]:
    """Lines of the application, of requests by the case's path without a mark, beyond those that passed its sidecar.

    Only of an application whose line for each of our marked requests has the path as well.
    """
    sent, target = proving.rig.prober.sent_ids, proving.case.probe.record.path
    of_path = re.compile(rf"(?<![\w/.-]){re.escape(target)}(?![\w/.?-])")
    passed = [one for one in lines.entries(since) if one.path == target and accesslog.forwarded(one)]
    found = [(one, own.mentioning(one)) for one in (_marker(entry, sent) for entry in passed) if one]
    marked = [(one, shown[0]) for one, shown in found if len(shown) == 1]
    if len(marked) < _CALIBRATES or not all(_shape(shown, of_path) for _, shown in marked):
        return []
    first, _ = marked[0]
    shapes = {_shape(shown, of_path) for _, shown in marked}

    def unmarked() -> list[str]:
        """Those of the same kind as the marked ones: an application may print more of a request, without the mark."""
        printed = own.lines(since)
        start = next((number for number, line in enumerate(printed) if first in line), len(printed))
        alike = (line for line in printed[start:] if _shape(line, of_path) in shapes)
        return [line for line in alike if _PROBE not in line and not _any(line, sent)]

    def entries() -> int:
        found = [one for one in lines.entries(since) if one.path == target and accesslog.forwarded(one)]
        start = next((number for number, one in enumerate(found) if _marker(one, sent) == first), 0)
        return sum(not _marker(one, sent) for one in found[start:])

    printed = unmarked()  # those of now: requests that come meanwhile are in the sidecar's log later
    deadline = time.monotonic() + LOG_BUDGET_S
    logged = look_until(entries, lambda number: len(printed) - number < FEWEST, deadline, pause_s=POLL_S)
    if len(printed) - logged >= FEWEST:
        readable([lines])
    return printed[logged:]


def _shape(line: str, of_path: re.Pattern[str]) -> str:
    """The path and what follows it in its kind of line, up to a number; empty for a line without the path."""
    match = of_path.search(line)
    return match.group() + _NO_NUMBER.match(line, match.end())[0] if match else ""  # type: ignore[index]


def _marker(entry: AccessLogEntry, sent: Set[str]) -> str:
    """The id of ours in an entry's user agent, which an application's log shows; empty for none."""
    word = entry.user_agent.rpartition(" ")[2]
    return word if word in sent else ""


_WORD = re.compile(r"mp-[\w-]{12,}")


def _any(line: str, sent: Set[str]) -> bool:
    return any(word in sent for word in _WORD.findall(line))
