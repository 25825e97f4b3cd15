"""`python -m runner`: the command line. SIGTERM ends it as Ctrl-C does, from its first moment on.

Where its output goes may be lost, and it goes on.
"""

from runner import lost_output
from runner.interrupts import interrupt_on_sigterm

interrupt_on_sigterm()
lost_output.tolerate()

from runner.commands.cli import main  # noqa: E402 - imports take a while, in which SIGTERM would be lost or end it

raise SystemExit(lost_output.settled(main()))
