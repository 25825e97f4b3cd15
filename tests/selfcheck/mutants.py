"""Part `mutants`: every mutant is tried; which controls notice it, and which controls notice none."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from clients.model.errors import MeshproofError, SettingsError
from runner.config import catalogue
from testbed import api
from tests.harness_mutants import run as harness
from tests.mutants.entry import FAIL, Area, Entry, judge
from tests.mutants.registry import HARNESS, MESH
from tests.selfcheck import same
from tests.selfcheck.product import Environment, say, scratch, spoilt, sweep, testbed
from tests.selfcheck.store import Record, Store

REASONS = Path(__file__).with_name("unproven.yaml")
_CONTROL = re.compile(r"\[.*")


def selected(only: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of mutants of the mesh and of the harness; `only` are names, patterns, areas or folders of suites.

    Raises:
        SettingsError: one of them selects nothing.
    """
    places = {name: {name, entry.area, entry.place.suite} for name, entry in MESH.items()}
    places |= {name: {name, str(Area.HARNESS), "harness"} for name in HARNESS}
    chosen: set[str] = set()
    for pattern in only:
        found = {name for name, words in places.items() if any(fnmatchcase(word, pattern) for word in words)}
        if not found:
            raise SettingsError(f"no mutant is named {pattern}", "give a name, an area, a folder of suites, or harness")
        chosen |= found
    wanted = chosen or places.keys()
    return [name for name in MESH if name in wanted], [name for name in HARNESS if name in wanted]


def run(store: Store, only: Sequence[str], *, but: Collection[str] = (), keep: Path | None = None) -> None:
    """Try the mutants that the store has no record of, without those of `but`."""
    mesh, own = ([name for name in names if name not in but] for names in selected(only))
    done = {record["id"] for record in store.records()}
    total, known = len(mesh) + len(own), len(done & {*mesh, *own})
    if known:
        say(f"{known} of {total} mutants are known already")
    for number, record in enumerate(_records(mesh, own, done, keep), known + 1):
        store.add(record | {"of": same.of(record["id"])})
        say(f"[{number}/{total}] {line(record)}")


def still_counts(record: Mapping[str, Any]) -> bool:
    """Whether a record is of the mutant, and of the cases that must notice it, as they are today.

    A record that does not say of what it is counts for no mutant of today.
    """
    return bool(record.get("of", "") == same.of(record["id"]))


def _records(mesh: Sequence[str], own: Sequence[str], done: Collection[str], keep: Path | None) -> Iterator[Record]:
    todo = [MESH[name] for name in mesh if name not in done]
    if todo:
        with testbed() as up:
            for place in dict.fromkeys(entry.place for entry in todo):
                here = [entry for entry in todo if entry.place == place]
                with Environment(up) as environment:
                    alone = [entry for entry in here if not entry.shares]
                    for entry in (entry for entry in here if entry.shares):
                        record = _shared(entry, environment)
                        if record is None:
                            alone.append(entry)
                        else:
                            yield record
                for entry in alone:
                    yield _alone(entry, up, keep)
    for mutant, killer, took_s in harness.try_each([HARNESS[name] for name in own if name not in done]):
        missed = {} if killer else {", ".join(mutant.rooms): "all unit tests pass"}
        record = {"id": mutant.name, "kind": "harness", "area": Area.HARNESS, "says": mutant.name.replace("-", " ")}
        record |= {"killed": bool(killer), "by": killer, "missed": missed, "harmed": {}, "cases": {}}
        yield record | {"took_s": round(took_s, 1)}


def line(record: Mapping[str, Any]) -> str:
    """One record in one line."""
    text = f"{'killed  ' if record['killed'] else 'SURVIVED'} {record['id']} ({record['area']}) {record['took_s']:g} s"
    problems = [f"{name}: {why}" for name, why in {**record["missed"], **record["harmed"]}.items()]
    left = [f"left: {', '.join(record['left'])}"] if record.get("left") else []
    return "; ".join([text, *problems[:6], *left])


def _shared(entry: Entry, environment: Environment) -> Record | None:
    """The record of a mutant in an environment that others use too; None where it has to run alone."""
    began = time.monotonic()
    with scratch() as folder:
        try:
            cases = environment.run(entry, folder)
        except (AssertionError, MeshproofError, OSError) as error:
            say(f"{entry.id}: {str(error)[-300:]}")
            cases = {}
    return _record(entry, cases, began) | {"left": environment.left()} if cases else None


def _alone(entry: Entry, up: api.Up, keep: Path | None) -> Record:
    began = time.monotonic()
    why, cases = "", {}
    with scratch() as folder:
        try:
            ran = spoilt(entry, folder, up)
            cases = ran.cases if ran.folder else {}
            why = ran.output[-300:]
        except (AssertionError, MeshproofError, OSError) as error:
            why = str(error)[-300:]
        if keep:
            _keep(folder, keep / entry.id)
    return _record(entry, cases, began, why) | {"left": sweep(up)}


def _record(entry: Entry, cases: Mapping[str, Mapping[str, Any]], began: float, why: str = "") -> Record:
    """What is kept of a mutant; a run without any case proves nothing, and the mutant survives it."""
    judged = judge(entry, cases)
    missed, harmed = dict(judged.missed), dict(judged.harmed)
    if not cases:
        missed["the run"] = why
    return {
        "id": entry.id,
        "kind": "mesh",
        "area": entry.area,
        "says": entry.says,
        "about": entry.about,
        "killed": not missed,
        "missed": missed,
        "harmed": harmed,
        "cases": {name: case["verdict"] for name, case in cases.items()},
        "reasons": {name: cases[name]["reason"][:200] for name in {*missed, *harmed} & cases.keys()},
        "took_s": round(time.monotonic() - began, 1),
    }


def _keep(folder: Path, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    for path in (folder / "terminal.txt", *folder.glob("out/*/conformance.json")):
        if path.exists():
            (to / path.name).write_bytes(path.read_bytes())


def killers(records: Iterable[Record]) -> dict[str, list[str]]:
    """Each control → the mutants of the mesh that made it fail."""
    found: dict[str, list[str]] = {}
    for record in records:
        failed = {_CONTROL.sub("", name) for name, verdict in record["cases"].items() if verdict == FAIL}
        for control in sorted(failed):
            found.setdefault(control, []).append(record["id"])
    return found


def unproven(records: Sequence[Record]) -> dict[str, str]:
    """Each control that noticed no mutant, and the reason; no reason where none is stated."""
    proven = killers(records)
    stated = yaml.safe_load(REASONS.read_text(encoding="utf-8"))
    patterns = [(pattern, group["reason"]) for group in stated for pattern in group["controls"]]
    return {
        control: next((reason for pattern, reason in patterns if fnmatchcase(control, pattern)), "")
        for control in catalogue.load().controls
        if control not in proven
    }


def short(record: Record) -> Record:
    """What the page has of a record: of its cases, those that failed."""
    failed = {name: verdict for name, verdict in record["cases"].items() if verdict == FAIL}
    return {name: record[name] for name in _OF_THE_PAGE if name in record} | {"cases": failed}


_OF_THE_PAGE = ("id", "kind", "area", "says", "killed", "missed", "harmed", "at", "of")


def figures(store: Store) -> Record:
    """What `--json` has of this part."""
    records = store.records()
    lacking = unproven(records)
    return {
        "mutants": len(records),
        "not_tried": len((MESH.keys() | HARNESS.keys()) - {record["id"] for record in records}),
        "mutants_of_the_mesh": sum(record["kind"] == "mesh" for record in records),
        "killed": sum(record["killed"] for record in records),
        "survivors": {record["id"]: {**record["missed"]} for record in records if not record["killed"]},
        "unproven_controls": len(lacking),
        "unproven_without_reason": sorted(name for name, reason in lacking.items() if not reason),
    }


def problems(store: Store) -> list[str]:
    """Why this part is not fine."""
    known = figures(store)
    found = [f"the mutant {name} survived" for name in known["survivors"]]
    found += [f"{record['id']} left {', '.join(record['left'])}" for record in store.records() if record.get("left")]
    return found
