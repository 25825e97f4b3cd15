"""Writes docs/trust.md: the newest figures of every part."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.stability_tables import KS
from clients.model.counted import counted
from tests.mutants.entry import Area
from tests.selfcheck import alarms, disturbances, faults, flips, mutants, same, store
from tests.selfcheck.store import ROOT, MergedStore, Record, Store, merged, newest

PAGE = ROOT / "docs" / "trust.md"
MEASURED = Path(__file__).with_name("measured")
"""What the page has of mutants and runs, for the next page: it is written where another cache knows nothing of them."""
WIDTH = 118
HEAD = """\
# How far a verdict can be trusted

`./meshproof selfcheck` measures it on the embedded cluster, and `./meshproof selfcheck --write-page` writes this page.
It has four parts, each of which can run alone; it takes hours, so `--resume` goes on where an interrupted part ended.
A nightly job runs one part a night, and keeps the figures of `--json`:

```sh
./meshproof selfcheck --mutants --resume --json mutants.json   # every mutant is noticed, by a control that is about it
./meshproof selfcheck --mutants --untried                      # only those that this page does not have
./meshproof selfcheck --alarms --runs 20 --resume              # 20 whole runs, most of them disturbed
./meshproof selfcheck --faults --resume                        # what a run needs breaks
./meshproof selfcheck --flips --changes 1000 --resume          # 1,000 changes of policy
./meshproof selfcheck --write-page
```

The exit code is 0 where all is well, 1 where something is not, 2 for bad input, 130 after an interruption.
"""


def write() -> Path:
    """Write the page from what is known; returns it.

    Mutants, runs and faults are of all commits at which they were tried, each by its newest record; changes belong
    together, so that those of the newest commit count. A part of which this cache knows nothing keeps its section.
    A mutant that has changed since, or whose cases have, counts as not tried.
    """
    tried = mutants_tried()
    alarmed = merged("alarms", alarms.is_judged, _kept_here("alarms"))
    flipped = newest("flips", measured=True)
    broken = merged("faults", lambda record: faults.exists(record["id"]))
    made = [
        (tried, mutants_section(tried)),
        (alarmed, alarms_section(alarmed)),
        (broken, faults_section(broken)),
        (flipped, flips_section(flipped)),
    ]
    there = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    sections = [_kept(there, section) if _knows_nothing(there, store, section) else section for store, section in made]
    PAGE.write_text("\n".join([HEAD, *sections]).rstrip() + "\n", encoding="utf-8")
    store.write(_kept_here("mutants").path, tried.about(), map(mutants.short, tried.known()))
    store.write(_kept_here("alarms").path, alarmed.about(), map(alarms.short, alarmed.known()))
    return PAGE


def mutants_tried() -> MergedStore:
    """What the checkout and this cache know of mutants that are today as they were when they were tried."""
    return merged("mutants", mutants.still_counts, _kept_here("mutants"))


def _kept_here(part: str) -> Store:
    """What the checkout has of a part."""
    return Store(MEASURED / f"{part}.ndjson")


def _knows_nothing(there: str, store: Store, section: str) -> bool:
    """Whether only the page that is there has a section's figures."""
    return "Measured at" in _kept(there, section) and not store.records()


def _kept(there: str, section: str) -> str:
    """The section of the same heading in the page that is there; empty where it has none."""
    heading = section.partition("\n")[0]
    for text in re.split(r"^(?=## )", there, flags=re.MULTILINE):
        if text.partition("\n")[0] == heading:
            return text.rstrip() + "\n"
    return ""


def of(store: Store) -> str:
    """Of which commit, when and on which machine."""
    about, at = store.about(), Counter(record["at"] for record in store.records())
    if not at:
        return "Not measured yet."
    commits = ", ".join(commit if len(at) == 1 else f"{commit} ({count})" for commit, count in sorted(at.items()))
    return textwrap.fill(f"Measured at commit {commits}; begun {about['started']}, on {about['machine']}.", WIDTH)


def mutants_section(store: Store) -> str:
    """Part `mutants`: score, by area, the survivors, each control, and the controls that notice none."""
    records, known = store.records(), mutants.figures(store)
    lines = ["## Mutants", "", of(store), ""]
    lines += _wrapped(
        "A mutant is a defect of the mesh, of what the harness can see of it, or one wrong line in the harness itself. "
        "It is killed if every control that is about it fails (or is inconclusive, where that is what is due); a "
        "failure of another control does not count. Mutants of the harness are killed by its unit tests."
    )
    rest = f" {known['not_tried']} of the registry are not tried as they are today." if known["not_tried"] else ""
    if isinstance(store, MergedStore) and (changed := _changed_since(store)):
        rest += f" Tried before they, or the cases that must notice them, changed: {changed} of these."
    lines += ["", *_wrapped(f"**{known['killed']} of {known['mutants']} mutants are killed.**{rest}"), ""]
    total, killed = (Counter(record["area"] for record in some) for some in (records, _killed(records)))
    rows = [(str(area), str(killed[area]), str(total[area])) for area in Area]
    lines += [*_table(("area", "killed", "mutants"), rows), ""]
    lines += _survivors(records)
    lines += _tried_at(store)
    lines += _controls(records)
    return "\n".join(lines)


def alarms_section(store: Store) -> str:
    """Part `alarms`: each run, its differences from the calm one, and the controls that flapped."""
    known, runs = alarms.figures(store), store.records()
    lines = ["## False alarms", "", of(store), ""]
    lines += _wrapped(
        "Every run proves the whole catalogue on a mesh that is right, or the suites that its row names. No verdict "
        "may differ from that of the calm run at the same commit, except that a disturbed case may be inconclusive, "
        "with its cause."
    )
    lines += ["", *(f"- {name}: {one.says}." for name, one in disturbances.DISTURBANCES.items()), ""]
    lines += [f"**{known['false_alarms']} false alarms in {known['runs']} runs.**", ""]
    rows = [
        (
            record["kind"],
            ", ".join(path.removeprefix("suites/") for path in record["suites"]) or "all",
            record["at"],
            str(record["cases"]),
            str(len(record["wrong"])),
            str(len(record["unsure"])),
            str(sum(record["flaps"].values())),
            f"{record['took_s']:.0f} s",
        )
        for record in runs
    ]
    lines += [*_table(("run", "suites", "commit", "cases", "false alarms", "inconclusive", "flaps", "took"), rows), ""]
    for record in runs:
        for case, why in {**record["wrong"], **record["unsure"]}.items():
            lines += _wrapped(f"- {record['kind']}, {case}: {why}")
    lines += ["", "### Flaps by control", ""]
    flapped = [f"{control} {count}" for control, count in known["flaps_per_control"].items()]
    return "\n".join([*lines, *_wrapped(", ".join(flapped) or "None."), ""])


def faults_section(store: Store) -> str:
    """Part `faults`: each fault and what became of the run."""
    known = faults.figures(store)
    lines = ["## Faults in the harness's own way", "", of(store), ""]
    lines += _wrapped(
        "Each is a test that states the result (`tests/e2e/test_faults.py`, `tests/e2e/test_ends.py`): no case fails "
        "for it, the reports are written, and nothing is left on the cluster."
    )
    untried = len(set(faults.known()) - {record["id"] for record in store.records()})
    more = f" {counted(untried, 'fault')} not tried." if untried else ""
    lines += ["", f"**{known['faults_survived']} of {known['faults']} faults are survived.**{more}", ""]
    for record in store.records():
        outcome = "survived" if record["survived"] else f"not survived: {record['why']}"
        outcome = "not possible on this machine" if record["skipped"] else outcome
        lines += _wrapped(f"- {faults.name(record['id'])}: {outcome}")
    return "\n".join([*lines, ""])


def flips_section(store: Store) -> str:
    """Part `flips`: contrary answers after "stable", by kind; and how far the model holds."""
    known = flips.figures(store)
    lines = ["## Changes called stable", "", of(store), ""]
    lines += _wrapped(
        "Each change of policy is applied or deleted, waited for as in a run, and then asked about by further probes: "
        "a contrary answer would mean that it was called stable too early. For some, the agent of one replica's proxy "
        f"is stopped for {flips.SLOW_S:g} s when the change comes, so that this proxy has it late."
    )
    summary = (
        f"{known['contrary']} of {known['probes_after_stable']} probes after {known['flips']} changes were contrary"
    )
    lines += ["", f"**{summary}; {known['not_converged']} changes did not converge.**", ""]
    columns = ("change", "changes", "K", "median until stable, s", "stale before", "probes after", "contrary")
    lines += [*_table(columns, flips.rows(store)), ""]
    early = [line for text in flips.contrary(store) for line in _wrapped(f"- {text}")]
    lines += [*early, ""] if early else []
    lines += _wrapped("How many changes a smaller K would have called stable too early (docs/convergence.md):")
    lines += ["", *_table(("K", *map(str, KS)), flips.model(store))]
    return "\n".join([*lines, ""])


def _changed_since(store: MergedStore) -> int:
    """How many mutants of today have only records of what they were before."""
    counted = {record["id"] for record in store.records()}
    return sum(same.of(record["id"]) != "" for record in store.known() if record["id"] not in counted)


def _killed(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record["killed"]]


def _survivors(records: Sequence[Record]) -> list[str]:
    alive = [record for record in records if not record["killed"]]
    lines = ["### Survivors", ""]
    if not alive:
        return [*lines, "None.", ""]
    for record in alive:
        missed = "; ".join(f"{name}: {why}" for name, why in list(record["missed"].items())[:4])
        lines += _wrapped(f"- `{record['id']}`: {record['says']} {missed}")
    return [*lines, ""]


def _tried_at(store: Store) -> list[str]:
    """Which mutants were tried at which commit, where there are several."""
    begun = store.begun() if isinstance(store, MergedStore) else {}
    at: dict[str, list[str]] = {}
    for record in store.records():
        at.setdefault(record["at"], []).append(record["id"])
    if len(at) < 2:
        return []
    lines = ["### Tried at which commit", ""]
    for commit, names in sorted(at.items(), key=lambda one: (begun.get(one[0], ""), one[0])):
        when = f", begun {begun[commit]}" if begun.get(commit) else ""
        lines += _wrapped(f"- {commit}{when}: {', '.join(f'`{name}`' for name in sorted(names))}")
    return [*lines, ""]


def _controls(records: Sequence[Record]) -> list[str]:
    noticed = mutants.killers(records)
    lines = ["### Which control notices which mutants", ""]
    for control, names in sorted(noticed.items()):
        lines += _wrapped(f"- {control}: {', '.join(f'`{name}`' for name in names)}")
    lines += ["", "### Controls that notice none", ""]
    by_reason: dict[str, list[str]] = {}
    for control, reason in mutants.unproven(records).items():
        by_reason.setdefault(reason or "no mutant tried concerns them", []).append(control)
    for reason, controls in by_reason.items():
        lines += _wrapped(f"- {reason}: {', '.join(sorted(controls))}")
    return [*lines, ""]


def _wrapped(text: str) -> list[str]:
    indent = "  " if text.startswith("- ") else ""
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown: the first column to the left, the others to the right."""
    head = [f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 1)}"]
    return [*head, *(f"| {' | '.join(row)} |" for row in rows)]
