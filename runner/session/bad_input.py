"""The end of a run by bad input, such as a mistake in a suite: one line and exit code 2, also from a worker."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from clients.model.exit_code import ExitCode
from runner.session import early_end

_LINE = "meshproof_bad_input"
"""Field of what a worker returns to the controlling process."""


def end(config: pytest.Config, why: str) -> NoReturn:
    """End this process with exit code 2; a worker also returns the line, with which `end_with` ends the run.

    For xdist, exit code 2 alone is an interruption of the worker: a crash, after which it starts another.

    Raises:
        pytest.exit.Exception: always.
    """
    returned: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if returned is not None:
        returned[_LINE] = why
    early_end.end(config, why, ExitCode.BAD_INPUT)


def end_with(node: Any) -> None:
    """End the run in the controlling process, where the worker of this node ended by bad input.

    Raises:
        pytest.exit.Exception: it did.
    """
    why = getattr(node, "workeroutput", {}).get(_LINE)
    if why:
        early_end.end(node.config, why, ExitCode.BAD_INPUT)
