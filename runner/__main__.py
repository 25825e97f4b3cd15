"""`python -m runner`: the command line. SIGTERM ends it as Ctrl-C does, from its first moment on."""

import signal
from types import FrameType


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


# As the first process of a container a program gets no signal that it has no handler for (pid_namespaces(7)): a run
# that looks at its cluster would go on until it is killed. Once it has begun, it has handlers of its own.
signal.signal(signal.SIGTERM, _interrupt)

from runner.commands.cli import main  # noqa: E402 - imports take a while

raise SystemExit(main())
