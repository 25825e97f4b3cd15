"""Part `faults`: what a run needs breaks under it; the tests state the result of each."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache

from clients.model.errors import SettingsError
from tests.selfcheck.product import say, sweep, testbed
from tests.selfcheck.store import ROOT, Record, Store

FILES = ("tests/e2e/test_faults.py", "tests/e2e/test_ends.py")
"""Faults, and how runs end early: each test is one fault with its stated result."""
LIMIT_S = 1800.0
MOST_OUTPUT = 20_000
"""Characters that are kept of what pytest printed for a fault that was not survived: one line does not say why."""
_PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-q", "--no-header")
_SKIPPED = "skipped"


@cache
def known() -> list[str]:
    """Ids of all tests, as pytest collects them."""
    ran = subprocess.run([*_PYTEST, "--collect-only", *FILES], cwd=ROOT, capture_output=True, text=True, check=False)
    return [line for line in ran.stdout.splitlines() if "::" in line]


def exists(test: str) -> bool:
    """Whether there is still a test of this id, whatever its parameters."""
    file, _, name = test.partition("::")
    path = ROOT / file
    return path.is_file() and f"def {name.partition('[')[0]}(" in path.read_text(encoding="utf-8")


def selected(only: Sequence[str]) -> list[str]:
    """Ids of the tests whose names contain one of these words; all where there is none.

    Raises:
        SettingsError: a word selects nothing.
    """
    tests = known()
    if unknown := [word for word in only if not any(word in test for test in tests)]:
        raise SettingsError(f"no fault is named {unknown[0]}", f"see {FILES[0]}")
    return [test for test in tests if not only or any(word in test for word in only)]


def run(store: Store, only: Sequence[str]) -> None:
    """Try the faults that the store has no record of, each in a process of its own."""
    done = {record["id"] for record in store.records()}
    tests = selected(only)
    todo = [test for test in tests if test not in done]
    if not todo:
        return
    with testbed() as up:
        for number, test in enumerate(todo, len(tests) - len(todo) + 1):
            began = time.monotonic()
            try:
                ran = subprocess.run(
                    [*_PYTEST, test], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
                )
                code, output = ran.returncode, ran.stdout
            except subprocess.TimeoutExpired:
                code, output = 1, f"it did not end within {LIMIT_S:g} s"
            why = next((line[4:] for line in output.splitlines() if line.startswith("E   ")), "") if code else ""
            record: Record = {"id": test, "survived": not code, "why": (why or output[-300:])[:300] if code else ""}
            record |= {"output": output[-MOST_OUTPUT:]} if code else {}
            record |= {_SKIPPED: " skipped" in output and not code, "took_s": round(time.monotonic() - began, 1)}
            record["left"] = sweep(up)
            store.add(record)
            outcome = (
                "not possible here" if record[_SKIPPED] else "survived" if not code else f"FAILED: {record['why']}"
            )
            say(f"[{number}/{len(tests)}] {name(test)}: {outcome} ({record['took_s']:g} s)")


def name(test: str) -> str:
    """The fault, in words."""
    return test.partition("::test_")[2].replace("_", " ")


def figures(store: Store) -> Record:
    """What `--json` has of this part."""
    records = store.records()
    return {
        "faults": sum(not record[_SKIPPED] for record in records),
        "faults_survived": sum(record["survived"] and not record[_SKIPPED] for record in records),
        "faults_not_possible": sorted(name(record["id"]) for record in records if record[_SKIPPED]),
    }


def problems(store: Store) -> list[str]:
    """Why this part is not fine."""
    return [f"{name(record['id'])}: {record['why']}" for record in store.records() if not record["survived"]]
