"""Part `mutants`: every mutant is tried; which controls notice it, and which controls notice none."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
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
from tests.selfcheck.product import say, scratch, spoilt, sweep, testbed
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


def run(store: Store, only: Sequence[str], *, keep: Path | None = None) -> None:
    """Try the mutants that the store has no record of."""
    mesh, own = selected(only)
    done = {record["id"] for record in store.records()}
    total, number = len(mesh) + len(own), len(done & {*mesh, *own})
    if number:
        say(f"{number} of {total} mutants are known already")
    todo = [name for name in mesh if name not in done]
    if todo:
        with testbed() as up:
            for name in todo:
                number += 1
                record = _tried(MESH[name], up, keep)
                store.add(record)
                say(f"[{number}/{total}] {line(record)}")
    for mutant, killer, took_s in harness.try_each([HARNESS[name] for name in own if name not in done]):
        number += 1
        missed = {} if killer else {", ".join(mutant.rooms): "all unit tests pass"}
        record = {"id": mutant.name, "kind": "harness", "area": Area.HARNESS, "says": mutant.name.replace("-", " ")}
        record |= {"killed": bool(killer), "missed": missed, "harmed": {}, "cases": {}, "took_s": round(took_s, 1)}
        store.add(record)
        say(f"[{number}/{total}] {line(record)}")


def line(record: Mapping[str, Any]) -> str:
    """One record in one line."""
    text = f"{'killed  ' if record['killed'] else 'SURVIVED'} {record['id']} ({record['area']}) {record['took_s']:g} s"
    problems = [f"{name}: {why}" for name, why in {**record["missed"], **record["harmed"]}.items()]
    left = [f"left: {', '.join(record['left'])}"] if record.get("left") else []
    return "; ".join([text, *problems[:6], *left])


def _tried(entry: Entry, up: api.Up, keep: Path | None) -> Record:
    began = time.monotonic()
    record: Record = {"id": entry.id, "kind": "mesh", "area": entry.area, "says": entry.says, "about": entry.about}
    with scratch() as folder:
        try:
            ran = spoilt(entry, folder, up)
            cases = ran.cases if ran.folder else {}
            judged = judge(entry, cases)
            missed, harmed = dict(judged.missed), dict(judged.harmed)
            if not cases:
                missed |= {"the run": ran.output[-300:]}
        except (AssertionError, MeshproofError, OSError) as error:
            cases, missed, harmed = {}, {"the run": str(error)[-300:]}, {}
        if keep:
            _keep(folder, keep / entry.id)
    verdicts = {name: case["verdict"] for name, case in cases.items()}
    reasons = {name: cases[name]["reason"][:200] for name in {*missed, *harmed} & cases.keys()}
    record |= {"killed": not missed, "missed": missed, "harmed": harmed, "cases": verdicts, "reasons": reasons}
    return record | {"left": sweep(up), "took_s": round(time.monotonic() - began, 1)}


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
