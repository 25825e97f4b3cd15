"""What happens before xdist's first worker starts: the target is brought up, and each worker gets its part of the run.

pytest ends a session that ends here without a word to its plugins, so the run's report is left here too.
"""

from __future__ import annotations

from typing import Any

import pytest

from clients.model.errors import MeshproofError
from clients.model.exit_code import ExitCode
from runner.session import deadline, early_end
from runner.session.fixtures import RUN_CONTEXT
from runner.session.handed import HANDED
from runner.session.recorder import PLUGIN
from runner.session.run_context import RunContext

SUITES = "suites"


def hand_over(node: Any) -> None:
    """Pass the run to a worker; the target is brought up before the first one, where suites are to run.

    Raises:
        pytest.exit.Exception: the target could not be brought up, or the run was interrupted meanwhile.
    """
    config: pytest.Config = node.config
    context: RunContext = config.stash[RUN_CONTEXT]
    try:
        node.workerinput[HANDED] = context.hand_over(with_target=_wants_suites(config))
    except MeshproofError as error:
        early_end.end(config, str(error), ExitCode.BAD_INPUT, begun=False)
    except KeyboardInterrupt as interruption:
        by = str(interruption) or "SIGINT"
        recorder = config.pluginmanager.get_plugin(PLUGIN)
        report = recorder.end_before_any_case(by) if recorder else ""
        deadline.exit_before_any_case(context, report)
        why = f"interrupted by {by} before any case{report}"
        early_end.end(config, why, ExitCode.INTERRUPTED, begun=False)


def _wants_suites(config: pytest.Config) -> bool:
    """Whether the arguments select tests in `suites/`; a worker cannot bring the target up later."""
    root = config.rootpath / SUITES
    paths = [(config.invocation_params.dir / str(argument).split("::", 1)[0]).resolve() for argument in config.args]
    return any(path.is_relative_to(root) or root.is_relative_to(path) for path in paths)
