"""What logs lack is waited for while it may only be late: proxies write theirs each second, and nodes may be busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from clients.mesh.access_logs.log_lines import LogLines
from clients.model.errors import InfrastructureError
from clients.model.polling import look_until
from clients.proof.logs.log_entries import FLUSHED_S, LOG_BUDGET_S

E = TypeVar("E")
"""An entry of a log."""
POLL_S = 0.2


def flushed(look: Callable[[], tuple[bool, list[E]]], most: int, logs: Sequence[LogLines]) -> tuple[bool, list[E]]:
    """The newest look: as soon as the logs are written and fewer than `most` are left, else when all must be there.

    Logs that are written and lack so many may be late on a busy node, and are waited for as long as any entry is.

    Raises:
        InfrastructureError: so many are left, and a log cannot be read at the moment.
    """

    def enough(seen: tuple[bool, list[E]]) -> bool:
        return seen[0] and len(seen[1]) < most

    began = time.monotonic()
    seen = look_until(look, enough, began + FLUSHED_S, pause_s=POLL_S)
    if seen[0] and not enough(seen):
        seen = look_until(look, enough, began + LOG_BUDGET_S, pause_s=POLL_S)
    if seen[0] and not enough(seen):
        readable(logs)
    return seen


def readable(logs: Iterable[LogLines]) -> None:
    """Raises InfrastructureError where a log cannot be read at the moment, so that what it lacks says nothing."""
    if problem := next((log.problem for log in logs if log.problem), ""):
        raise InfrastructureError(problem)
