"""The command line. A user's mistake is one line and exit code 2, never a traceback."""

from __future__ import annotations

import importlib
import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from clients.model.errors import MeshproofError, SettingsError
from clients.model.exit_code import ExitCode
from runner.commands import fleet, rerun

VERBS = {
    "run": "run.run",
    "test": "test.own_tests",
    "plan": "plan.plan",
    "doctor": "doctor.doctor",
    "up": "testbed.up",
    "down": "testbed.down",
    "status": "testbed.status",
    "logs": "testbed.logs",
    "report": "report.report",
    "verify": "report.verify",
    "diff": "diff.diff",
    "precheck": "precheck.precheck",
    "like": "like.like",
    "history": "history.history",
    "merge": "merge.merge",
    "images": "images.images",
    "cleanup": "cleanup.cleanup",
    "bench": "bench.bench",
    "upgrade": "upgrade.upgrade",
    "selfcheck": "selfcheck.selfcheck",
}
"""Verb → module and function below `runner.commands`, in the order of the help."""
GROUPS = {
    "testbed": (
        "The built parts of the embedded cluster.",
        {
            "build": "testbed.build",
            "digest": "testbed.digest",
            "export": "testbed.export",
            "import": "testbed.import_",
        },
    ),
    "hold": (
        "Requests that go on in the cluster while anything is done to it, and what becomes of each.",
        {"start": "hold.start", "check": "hold.check", "mark": "hold.mark", "stop": "hold.stop"},
    ),
    "image": (
        "The harness's own image, for pods that run it.",
        {"build": "image.build", "list": "image.show", "load": "image.load", "export": "image.export"},
    ),
}
"""Group of verbs → its help, and its verbs as in `VERBS`."""


def application(first: str = "") -> typer.Typer:
    """The command line; only of the first word's verb, since the others' libraries take a second to load."""
    app = typer.Typer(
        name="meshproof",
        help="Proof, on the wire, that a service mesh enforces what its policies say.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_before_the_verb)
    known = first in VERBS or first in GROUPS or first == "--version"
    _register(app, {name: place for name, place in VERBS.items() if name == first or not known})
    for name, (text, verbs) in GROUPS.items():
        if first == name or not known:
            group = typer.Typer(help=text, no_args_is_help=True)
            _register(group, verbs)
            app.add_typer(group, name=name)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = rerun.completed(sys.argv[1:] if arguments is None else arguments)
    try:
        _check_working_folder()
        if words[:1] == ["run"] and len((named := fleet.contexts(words))[0]) > 1:
            return fleet.run(*named)
        if len(several := fleet.contexts(words)[0]) > 1:
            hint = f"give `{words[0]}` one at a time; only `run` takes several"
            raise SettingsError(f"{fleet.OPTION} names {len(several)} clusters: {', '.join(several)}", hint)
        code = application(words[0] if words else "")(args=words, prog_name="meshproof", standalone_mode=False)
    except MeshproofError as error:
        return _bad(str(error))
    except typer.TyperException as error:
        return _bad(str(error) and error.format_message())  # it names the option; empty where the help was printed
    except OSError as error:
        if error.filename is None:  # of no file that a person has named
            raise
        return _bad(str(_unusable(error)))
    except (KeyboardInterrupt, typer.Abort):
        print("meshproof: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    return int(code or 0)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from runner.config.settings import ROOT  # loaded only here: it takes a while

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    print(f"meshproof {project['version']}")
    raise typer.Exit


def _before_the_verb(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of the program itself. Without this, a command line of one verb would not ask for the verb's name."""


def _register(app: typer.Typer, verbs: dict[str, str]) -> None:
    for name, place in verbs.items():
        module, function = place.split(".")
        app.command(name)(getattr(importlib.import_module(f"runner.commands.{module}"), function))


def _check_working_folder() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise SettingsError(f"the working folder cannot be used: {error.strerror}", "change to another one") from None


def _unusable(error: OSError) -> SettingsError:
    """The error for a file or folder that this user may not look at, or whose name no file can have."""
    text = f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}"
    return SettingsError(text, "see that it is there, and that you may read it, and write where something is written")


def _bad(text: str) -> int:
    if text:  # empty where typer has printed its help already
        print(f"meshproof: {text}", file=sys.stderr)
    return ExitCode.BAD_INPUT
