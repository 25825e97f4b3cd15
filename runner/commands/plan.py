"""`meshproof plan`: what would be applied and asserted. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import yaml
from rich.console import Console
from rich.markup import escape

from clients.model.counted import counted
from clients.model.exit_code import ExitCode
from runner.commands import common, plan_here, policy_warnings
from runner.config import catalogue, folders, settings, tiers
from runner.session.planned import PlannedTest
from runner.session.planning.collect_plan import collect
from runner.target import known, targets
from runner.target.assemble import MANIFESTS


@common.takes(*common.CLUSTER, "revision", "root_namespace", "hosts", "istioctl", "allow_mesh_wide", "tier")
def plan(
    paths: common.Paths = None,
    control: common.Controls = None,
    tags: common.Tags = None,
    skipped_tags: common.SkippedTags = None,
    keyword: common.Keyword = None,
    *,
    given: common.Given,
) -> int:
    """Print what would be applied and asserted, and what would be skipped on a named cluster; nothing is changed."""
    wanted = settings.load(given)
    target = targets.of(wanted)  # raises for settings that do not fit the target
    catalogue.load().select(control or ())
    tiers.with_tags(tags or (), skipped_tags or (), catalogue.load())
    expired = known.expired(target, folders.now())
    common.check_suites(paths)
    common.check_expressions(keyword)
    words = [
        *common.words({"control": control, "tag": tags, "skip-tag": skipped_tags, "k": keyword}),
        *common.suites(paths),
    ]
    console = Console(soft_wrap=True)
    entries = collect(words, wanted)
    named = given["target"] or not target.starts_itself
    there = plan_here.outlook(entries, catalogue.load(), target) if named else None  # an error is all that is printed
    show(entries, console)
    if there:
        plan_here.show(there, console)
    for entry in expired:
        console.print(escape(f"known failure {known.in_words(entry)}; {known.HINT}"), style="yellow")
    return ExitCode.OK


def show(entries: Sequence[PlannedTest], console: Console) -> None:
    """Print it: a heading for each suite with its stage's objects (once each), then a line for each case."""
    listed: set[str] = set()
    for suite, group in groupby(entries, key=lambda entry: entry.suite):
        cases = list(group)
        first = cases[0]
        console.print(f"\n[bold]{escape(suite)}[/bold]  {escape(first.subject.stage_title or first.subject.stage)}")
        for label, manifests in (
            ("environment", first.environment),
            ("apply", first.apply),
            ("then delete", first.removed),
        ):
            for manifest in manifests:
                content = "" if manifest in listed else f": {', '.join(objects(MANIFESTS / manifest))}"
                console.print(f"  {label:12}{escape(manifest + content)}")
                listed.add(manifest)
        if first.needs:
            console.print(f"  {'needs':12}{', '.join(first.needs)}")
        for entry in cases:
            about = entry.subject
            source = about.source if len(entry.subjects) == 1 else ""
            words = f"{source} {entry.sends} → {entry.expected}".strip() if entry.sends else about.title
            before = f" (before: {entry.before})" if entry.before else ""
            console.print(f"  {escape(entry.id):24} {about.polarity:6}{escape(words)}{escape(before)}")
    policy_warnings.show(policy_warnings.of_manifests(entries, MANIFESTS), console)
    console.print(f"\n{total(entries)}; nothing was touched.")


def total(entries: Sequence[PlannedTest]) -> str:
    """`1423 cases of 388 controls in 40 modules`; a table is a case for each of its cells."""
    cases = sum(len(entry.ids) for entry in entries)
    controls, modules = len({entry.control for entry in entries}), len({entry.suite for entry in entries})
    return f"{counted(cases, 'case')} of {counted(controls, 'control')} in {counted(modules, 'module')}"


def objects(path: Path) -> list[str]:
    """`Kind name` of every object in a manifest, or in every manifest of a folder."""
    files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    try:
        documents = [d for file in files for d in yaml.safe_load_all(file.read_text(encoding="utf-8")) if d]
        return [f"{d['kind']} {d['metadata']['name']}" for d in documents]
    except (OSError, ValueError, RecursionError, yaml.YAMLError, KeyError, TypeError) as error:
        return [f"cannot be read ({type(error).__name__})"]
