"""`python -m runner`: the command line. SIGTERM ends it as Ctrl-C does, from its first moment on."""

from runner.interrupts import interrupt_on_sigterm

interrupt_on_sigterm()

from runner.commands.cli import main  # noqa: E402 - imports take a while, in which SIGTERM would be lost or end it

raise SystemExit(main())
