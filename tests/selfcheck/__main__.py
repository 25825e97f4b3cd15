"""The parts of `./meshproof selfcheck`, one after the other, and their figures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from types import ModuleType

from clients.model.errors import MeshproofError
from clients.model.exit_code import ExitCode
from runner.interrupts import sigterm_interrupts
from tests.selfcheck import alarms, faults, flips, mutants, page
from tests.selfcheck.product import say
from tests.selfcheck.store import PARTS, Record, Store, newest

MODULES: dict[str, ModuleType] = {"mutants": mutants, "alarms": alarms, "faults": faults, "flips": flips}
BY_NAME = ("mutants", "faults")
"""Parts whose records are of single names. Those of the others belong together: runs, and changes one after another."""


def main(words: Sequence[str]) -> int:
    """Run the parts; returns the exit code."""
    given = _arguments().parse_args(words)
    try:
        with sigterm_interrupts():
            return _conduct(given)
    except (MeshproofError, OSError) as error:
        print(f"meshproof: {error}", file=sys.stderr)
        return ExitCode.BAD_INPUT
    except KeyboardInterrupt:
        say("meshproof: interrupted; `--resume` goes on")
        return ExitCode.INTERRUPTED


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="meshproof selfcheck")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[])
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--runs", type=int, default=alarms.RUNS)
    parser.add_argument("--changes", type=int, default=flips.CHANGES)
    parser.add_argument("--suite", action="append", default=[])
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--untried", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json", type=Path)
    return parser


def _conduct(given: argparse.Namespace) -> int:
    parts: list[str] = given.parts
    for part in parts:  # a misspelt name is reported before anything starts
        _selected(part, given.only)
    for part in parts:
        store = Store.of(part)
        _begin(part, store, given)
        say(f"== {part}")
        _run(part, store, given)
    figures = combined(parts)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    found = [problem for part in parts for problem in MODULES[part].problems(newest(part))]
    for problem in found:
        print(problem)
    if given.page:
        say(f"written: {page.write()}")
    if not parts:
        return ExitCode.OK
    counts = {name: value for name, value in figures.items() if isinstance(value, int)}
    print(", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in counts.items()))
    return ExitCode.FAILED if found else ExitCode.OK


def _begin(part: str, store: Store, given: argparse.Namespace) -> None:
    """Without `--resume` what is selected is tried again. Of mutants and faults, what is known of others stays."""
    by_name = part in BY_NAME
    store.start(resume=given.resume or by_name)
    if by_name and not (given.resume or given.untried):
        store.forget(_selected(part, given.only))


def _selected(part: str, only: Sequence[str]) -> set[str]:
    """Names of what is selected. Raises SettingsError where one of the words selects nothing."""
    if part == "mutants":
        return set(chain.from_iterable(mutants.selected(only)))
    select = flips.kinds if part == "flips" else MODULES[part].selected
    return set(map(str, select(only)))


def _run(part: str, store: Store, given: argparse.Namespace) -> None:
    if part == "mutants":
        tried = [record["id"] for record in page.mutants_tried().records()] if given.untried else []
        mutants.run(store, given.only, but=tried, keep=given.keep)
    elif part == "alarms":
        alarms.run(store, given.only, given.runs, given.suite)
    elif part == "faults":
        faults.run(store, given.only)
    else:
        flips.run(store, given.only, given.changes)


def combined(parts: Sequence[str]) -> Record:
    """The figures of these parts, and of which commit each is."""
    figures: Record = {}
    about: Record = {}
    for part in parts:
        store = newest(part)
        figures |= MODULES[part].figures(store)
        about[part] = store.about()
    return figures | {"parts": about}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
