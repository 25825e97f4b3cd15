"""Lines of a case for a terminal or a log, and the whole of a case as the message of a failed assertion."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from clients.model.evidence import Evidence, Verdict
from reports.argument import chain
from reports.attempts import fold, one_line
from reports.marks import GLYPHS, WORDS, Mark, mark, not_checked

STYLES = {Mark.PASS: "green", Mark.REDUCED: "dark_olive_green3", Mark.FAIL: "bold red", Mark.KNOWN: "magenta",
          Mark.INCONCLUSIVE: "yellow", Mark.SKIP: "dim", Mark.NOT_RUN: "dim"}  # fmt: skip
INDENT = 17
"""Width of the verdict's column, and where continued lines begin."""
_MOST_ROWS = 24
_NARROWEST = 20


def case_line(evidence: Evidence, reason: str | None = None, stage: str = "") -> Text:
    """The line of a case.

    `✓ pass           LAB-MTLS-03  000 reset (56)  0.67 s  Under mesh-wide STRICT plain to injected is refused`

    Args:
        reason: in place of the reason of the evidence.
        stage: id of its stage, where the line has no heading that says it.
    """
    before = f"{one_line(stage)}: " if stage else ""
    line = verdict_cell(mark(evidence))
    line.append(f"{one_line(evidence.id):<24} ")
    if evidence.verdict is Verdict.PASS:
        stable = evidence.time_to_stable_s
        line.append(f"{one_line(evidence.observed):<15} ")
        line.append(f"{'' if stable is None else f'{stable:.2f} s':>8}  ", "dim")
        line.append(before, "dim")
        line.append(one_line(evidence.title))
        line.append(" (slow)" if evidence.slow else "", "yellow")
        names = dict.fromkeys(finding.name for finding in not_checked(evidence))
        line.append(f" ({', '.join(names)} not checked)" if names else "", STYLES[Mark.REDUCED])
    else:
        line.append(before, "dim")
        line.append(one_line(evidence.reason if reason is None else reason) or one_line(evidence.title))
    return line


def explain(evidence: Evidence) -> str:
    """Plain text of several lines: expected, what was seen on each attempt, what was found, what to look at."""
    word = WORDS[mark(evidence)]
    lines = [
        f"{evidence.id} {one_line(evidence.title)}",
        f"  {word}: {one_line(evidence.reason)}" if evidence.reason else f"  {word}",
        *([f"  known     {one_line(evidence.known.text)}"] if evidence.known else []),
        *([f"  why: {one_line(evidence.why)}"] if evidence.why else []),
        f"  expected  {one_line(evidence.expected)}",
        f"  observed  {one_line(evidence.observed)}",
    ]
    if evidence.source:
        lines.append(f"  path      {evidence.source} → {evidence.destination}")
    if evidence.command:
        lines.append(f"  request   {one_line(evidence.command)}")
    rows = fold(evidence.attempts)
    if rows:
        lines.append("  attempts, in seconds since the change")
        half = _MOST_ROWS // 2
        kept = [row.text for row in rows]
        if len(rows) > _MOST_ROWS:
            kept = [*kept[:half], f"… {len(rows) - 2 * half} more changes of the answer …", *kept[-half:]]
        lines += [f"    {row}" for row in kept]
    found = [
        f"    {link.glyph} {' '.join(filter(None, (link.name, link.twin)))}: {link.line}" for link in chain(evidence)
    ]
    if found:
        lines += ["  findings", *found]
    if evidence.applied:
        objects = ", ".join(f"{item.kind} {item.namespace}/{item.name} ({item.manifest})" for item in evidence.applied)
        lines.append(f"  applied   {objects}")
    if evidence.diagnostics:
        lines.append(f"  look at   {evidence.diagnostics}")
    return "\n".join(lines)


def stage_heading(title: str, stage: str) -> Text:
    """`Plain HTTP is refused  lab-mtls`: the title, and the stage's id where it is another."""
    heading = Text(one_line(title))
    if stage and stage != title:
        heading.append(f"  {one_line(stage)}", "dim")
    return heading


def verdict_cell(key: Mark) -> Text:
    """`✓ pass  reduced  `, as wide as the longest."""
    word = "pass  reduced" if key == Mark.REDUCED else WORDS[key]
    glyph = GLYPHS[Mark.PASS] if key == Mark.REDUCED else GLYPHS[key]
    return Text.assemble((f"{glyph} {word}".ljust(INDENT), STYLES[key]))


def print_line(console: Console, text: Text, head: Text | None = None) -> None:
    """Wrapped on a terminal, below its beginning; one line in a file, so that it can be searched.

    Args:
        head: goes before the first line; `INDENT` wide.
    """
    before, indent = head or Text(), head.cell_len if head else 0
    if not console.is_terminal:
        console.print(before + text, soft_wrap=True)
        return
    for line in text.wrap(console, max(_NARROWEST, console.width - indent)) or [Text()]:
        line.rstrip()
        console.print(before + line, soft_wrap=True)
        before = Text(" " * indent)
