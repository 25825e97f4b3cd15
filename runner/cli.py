"""The command line. A mistake of the user is one line and exit code 2, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import typer

from clients.errors import MeshproofError
from runner.commands import bench, cleanup, doctor, plan, report, run, test, testbed
from runner.commands.common import BAD_INPUT, INTERRUPTED

app = typer.Typer(
    name="meshproof",
    help="Proof, on the wire, that a service mesh enforces what its policies say.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
parts = typer.Typer(help="The built parts of the embedded cluster.", no_args_is_help=True)

VERBS: tuple[Callable[..., int], ...] = (
    run.run,
    test.own_tests,
    plan.plan,
    doctor.doctor,
    testbed.up,
    testbed.down,
    testbed.status,
    testbed.logs,
    report.report,
    report.diff,
    cleanup.cleanup,
    bench.bench,
)
for verb in VERBS:
    app.command("test" if verb is test.own_tests else verb.__name__)(verb)
for verb, word in ((testbed.build, "build"), (testbed.export, "export"), (testbed.import_, "import")):
    parts.command(word)(verb)
app.add_typer(parts, name="testbed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        code = app(args=arguments, prog_name="meshproof", standalone_mode=False)
    except MeshproofError as error:
        return _bad(str(error))
    except typer.TyperException as error:
        return _bad(str(error))
    except (KeyboardInterrupt, typer.Abort):
        print("meshproof: interrupted", file=sys.stderr)
        return INTERRUPTED
    return int(code or 0)


def _bad(text: str) -> int:
    if text:  # empty where typer has printed its help already
        print(f"meshproof: {text}", file=sys.stderr)
    return BAD_INPUT
