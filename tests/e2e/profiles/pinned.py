"""The skips of a whole run on each profile: pinned by a table of docs/targets.md, which a run can write.

`python tests/e2e/profiles/pinned.py PROFILE CONFORMANCE_JSON` replaces the rows of the profile.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[3] / "docs" / "targets.md"
BEGIN, END = "<!-- skips: begin (python tests/e2e/profiles/pinned.py) -->", "<!-- skips: end -->"
_ROW = re.compile(
    r"^\| `(?P<profile>[^`]+)` \| (?P<cases>\d+) \| (?P<reason>.+?) \| (?P<controls>.+) \|$", re.MULTILINE
)
_SAME = re.compile(r"^same reason as (.+)$")
LINE = 120
"""Longest line of a document, in characters."""
Skips = Counter[tuple[str, str]]
"""(reason, control) → number of cases."""


def of_report(report: Mapping[str, Any]) -> Skips:
    """The skips of a run, each with its reason without what is in brackets; a case that repeats one has that one."""
    cases = [case for case in report["cases"] if case["verdict"] == "skip"]
    reasons = {case["id"]: case["reason"] for case in cases}

    def reason(case: Mapping[str, Any]) -> str:
        same = _SAME.match(case["reason"])
        return str(reasons.get(same[1], case["reason"]) if same else case["reason"])

    return Counter((reason(case).partition(" (")[0], case["control"]) for case in cases)


def pinned(profile: str, text: str) -> Skips:
    """The rows of the profile in the document."""
    found: Skips = Counter()
    for row in _ROW.finditer(text[text.index(BEGIN) : text.index(END)]):
        if row["profile"] == profile:
            for item in row["controls"].split(", "):
                control, _, number = item.partition(" x")
                found[row["reason"], control] += int(number or 1)
    return found


def written(profile: str, skips: Skips, text: str) -> str:
    """The document with these rows in place of the profile's; those of a new profile come last."""
    start, end = text.index(BEGIN), text.index(END)
    all_rows = list(_ROW.finditer(text[start:end]))
    place = next((at for at, row in enumerate(all_rows) if row["profile"] == profile), len(all_rows))
    kept = [row[0] for row in all_rows if row["profile"] != profile]
    rows = []
    for reason in sorted({reason for reason, _ in skips}):
        numbers = {control: number for (why, control), number in skips.items() if why == reason}
        rows += _rows(profile, reason, numbers)
    head = [BEGIN, "", "| profile | cases | reason | controls |", "|---|---|---|---|"]
    return text[:start] + "\n".join([*head, *kept[:place], *rows, *kept[place:], "", ""]) + text[end:]


def _rows(profile: str, reason: str, numbers: Mapping[str, int]) -> list[str]:
    """As many as it takes to keep each within the length of a line."""
    rows, part = [], list[str]()
    cases = 0
    for control, number in sorted(numbers.items()):
        item = f"{control} x{number}" if number > 1 else control
        if part and len(_row(profile, cases + number, reason, [*part, item])) > LINE:
            rows.append(_row(profile, cases, reason, part))
            part, cases = [], 0
        part, cases = [*part, item], cases + number
    return [*rows, _row(profile, cases, reason, part)]


def _row(profile: str, cases: int, reason: str, controls: Sequence[str]) -> str:
    return f"| `{profile}` | {cases} | {reason} | {', '.join(controls)} |"


def main(profile: str, report: str) -> None:
    """Write the rows of a profile from a run's report."""
    skips = of_report(json.loads(Path(report).read_text(encoding="utf-8")))
    DOCUMENT.write_text(written(profile, skips, DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
