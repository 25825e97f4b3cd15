"""Part `alarms`: whole runs on a mesh that is right, most of them disturbed; all verdicts are those of a calm run."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Sequence

from clients.model.errors import SettingsError
from tests.e2e.e2e_runs import MESHPROOF, EndedRun, start
from tests.selfcheck.disturbances import CALM, DISTURBANCES
from tests.selfcheck.product import say, scratch, sweep, testbed
from tests.selfcheck.store import Record, Store

RUNS = 20
PATIENCE_S = 3 * 3600.0
WORKERS = ("-n", "2")
_CONTROL = re.compile(r"\[.*")
MAY_DIFFER = "inconclusive"
"""The one verdict that a disturbed run may have instead, with its cause."""


def selected(only: Sequence[str]) -> list[str]:
    """The disturbances that are named, or all; the calm run is always one of them.

    Raises:
        SettingsError: one does not exist, or the machine lacks what it needs.
    """
    if unknown := [name for name in only if name not in DISTURBANCES]:
        raise SettingsError(f"no disturbance is named {unknown[0]}", f"there are: {', '.join(DISTURBANCES)}")
    chosen = [name for name in DISTURBANCES if not only or name in (*only, CALM)]
    if "stress" in chosen and shutil.which("stress-ng") is None:
        raise SettingsError("stress-ng is not installed", "apt-get install stress-ng")
    return chosen


def run(store: Store, only: Sequence[str], runs: int, suites: Sequence[str] = ()) -> None:
    """Make the runs that the store has no record of: a calm one first, then each disturbance in turn."""
    chosen = selected(only)
    done = {record["id"] for record in store.records()}
    plan = planned(chosen, runs, suites)
    todo = {name: place for name, place in plan.items() if name not in done}
    if not todo:
        return
    with testbed() as up:
        for name, (number, kind) in todo.items():
            with scratch() as folder, DISTURBANCES[kind].around():
                own = (word.format(number=number) for word in DISTURBANCES[kind].words)
                words = ("run", "--out", "{out}", *WORKERS, *own, *suites)
                ran = start(folder, *MESHPROOF, *words).end(PATIENCE_S)
                record = recorded(name, kind, ran, suites)
            wrong, unsure = differences(calm_run(store, suites) or record, record)
            record |= {"wrong": wrong, "unsure": unsure, "left": sweep(up)}
            store.add(record)
            say(f"[{number}/{runs}] {described(record)}")


def planned(chosen: Sequence[str], runs: int, suites: Sequence[str] = ()) -> dict[str, tuple[int, str]]:
    """Name of each run → its number and its disturbance, in order.

    The name is the same whichever other disturbances were chosen: a newer run replaces an older one in the page.
    """
    plan: dict[str, tuple[int, str]] = {}
    for number in range(runs):
        turn, kind = divmod(number, len(chosen))
        words = (chosen[kind], *([str(turn + 1)] if turn else ()), *suites)
        plan[" ".join(words)] = (number + 1, chosen[kind])
    return plan


def recorded(name: str, kind: str, ran: EndedRun, suites: Sequence[str]) -> Record:
    """What is kept of a run."""
    cases = ran.cases if ran.folder else {}
    flaps: Counter[str] = Counter()
    attempts: Counter[str] = Counter()
    for case in cases.values():
        control = _CONTROL.sub("", case["id"])
        flaps[control] += case["flaps"]
        attempts[control] += case["attempts"]
    return {
        "id": name,
        "kind": kind,
        "suites": list(suites),
        "exit": ran.code,
        "took_s": round(ran.took_s, 1),
        "cases": len(cases),
        "verdicts": {case: "known" if found["known"] else found["verdict"] for case, found in cases.items()},
        "reasons": {case: found["reason"][:200] for case, found in cases.items() if found["verdict"] in _EXPLAINED},
        "flaps": {control: count for control, count in flaps.items() if count},
        "attempts": dict(attempts),
        "output": "" if cases else ran.output[-500:],
    }


_EXPLAINED = frozenset({"fail", "inconclusive"})


def differences(calm: Record, record: Record) -> tuple[dict[str, str], dict[str, str]]:
    """Cases whose verdict differs from the calm run's: false alarms, and those that are inconclusive with a cause."""
    wrong: dict[str, str] = {}
    unsure: dict[str, str] = {}
    for case in sorted(calm["verdicts"].keys() | record["verdicts"].keys()):
        before, now = (one["verdicts"].get(case, "not run") for one in (calm, record))
        if before == now != "fail":  # on a mesh that is right, any failure is a false alarm
            continue
        reason = record["reasons"].get(case, "")
        target = unsure if now == MAY_DIFFER and reason else wrong
        target[case] = f"{now} instead of {before}: {reason}"
    return wrong, unsure


def calm_run(store: Store, suites: Sequence[str]) -> Record | None:
    """The run that others of the same suites are compared with."""
    calm = (record for record in store.records() if record["kind"] == CALM)
    return next((record for record in calm if record["suites"] == list(suites)), None)


def described(record: Record) -> str:
    """One run in a line or more."""
    counts = Counter(record["verdicts"].values())
    text = f"{record['kind']}: {', '.join(f'{count} {name}' for name, count in counts.items())}, {record['took_s']:g} s"
    lines = [f"{text}; {len(record['wrong'])} false alarms, {len(record['unsure'])} inconclusive"]
    return "\n".join([*lines, *(f"  {case}: {why}" for case, why in {**record["wrong"], **record["unsure"]}.items())])


def is_judged(record: Record) -> bool:
    """Whether a record has its judgement; a cache may have older ones, which were judged whenever they were read."""
    return "wrong" in record


def short(record: Record) -> Record:
    """What the page has of a run: how it differs from the calm one, and not the verdict of every case."""
    return {name: record[name] for name in _OF_THE_PAGE if name in record}


_OF_THE_PAGE = ("id", "kind", "suites", "exit", "took_s", "cases", "wrong", "unsure", "flaps", "left", "at")


def figures(store: Store) -> Record:
    """What `--json` has of this part."""
    runs = store.records()
    flaps: Counter[str] = Counter()
    for record in runs:
        flaps.update(record["flaps"])
    return {
        "runs": len(runs),
        "runs_disturbed": sum(record["kind"] != CALM for record in runs),
        "false_alarms": sum(len(record["wrong"]) for record in runs),
        "inconclusive": sum(len(record["unsure"]) for record in runs),
        "flaps": sum(flaps.values()),
        "flaps_per_control": dict(sorted(flaps.items())),
    }


def problems(store: Store) -> list[str]:
    """Why this part is not fine."""
    found = []
    for record in store.records():
        found += [f"run {record['id']}: {case}: {why}" for case, why in record["wrong"].items()]
        found += [] if record["cases"] else [f"run {record['id']} has no verdicts: {record['output']}"]
        found += [f"run {record['id']} left {', '.join(record['left'])}"] if record["left"] else []
    return found
