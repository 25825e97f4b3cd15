"""`meshproof plan --context NAME`: what would be proven on that cluster, what would be skipped, and why. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape

from clients.mesh import discovery
from clients.model.counted import counted
from reports.record.model import TargetInfo
from runner.config.catalogue import Catalogue
from runner.session.planned import PlannedTest
from runner.target import browsers, capabilities, identity, named, needs
from runner.target.descriptor import TargetDescriptor
from runner.target.target import Target, reach

SHOWN = 8
"""Ids of cases that are printed for one reason."""


@dataclass(frozen=True)
class Outlook:
    """What a run would do.

    Attributes:
        cluster: in words.
        tried: ids of the cases that would be tried.
        skipped: reason → ids of the cases that would be skipped for it.
        warnings: what may change that.
    """

    cluster: str
    tried: tuple[str, ...]
    skipped: dict[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def outlook(entries: Sequence[PlannedTest], catalogue: Catalogue, target: Target) -> Outlook:
    """What a run on this target would do. Reads from the cluster; a cluster that is down is not started.

    Raises:
        MeshproofError: it cannot be reached, or has no mesh.
    """
    there = reach(target, print)
    cluster = there.connect()
    try:
        survey = named.survey_of(cluster, target.settings)
        named.require(survey, target.settings)
        mesh = discovery.seen(survey)
        has_browser, detail = browsers.describe()
        browser = browsers.Found(detail) if has_browser else browsers.Found(why_not=detail)
        found = capabilities.found(mesh, capabilities.Surroundings(target, there, browser))
        name = target.name(there, cluster.server)
        words = f"{name} (Kubernetes {cluster.server_version}, {mesh.flavour} {mesh.version}, revision {mesh.revision})"
    finally:
        cluster.close()
    descriptor = TargetDescriptor(TargetInfo(kind=target.kind), capabilities=found.names, lacks=found.lacks)
    reasons = {entry.id: _why_not(entry, catalogue, descriptor, target) for entry in entries}
    return judged(words, entries, reasons, () if target.starts_itself else TRIED)


TRIED = ("network policies, load balancers and the way in are tried when the run begins, or by `meshproof doctor`",)


def judged(cluster: str, entries: Iterable[PlannedTest], reasons: dict[str, str], warnings: Iterable[str]) -> Outlook:
    """The cases by what would become of them.

    Args:
        reasons: id of a test → why it would be skipped; empty where it would be tried.
    """
    tried: list[str] = []
    skipped: dict[str, list[str]] = {}
    for entry in entries:
        reason = reasons[entry.id]
        (skipped.setdefault(reason, []) if reason else tried).extend(entry.ids)
    sorted_ = sorted(skipped.items(), key=lambda one: -len(one[1]))
    return Outlook(cluster, tuple(tried), {reason: tuple(ids) for reason, ids in sorted_}, tuple(warnings))


def _why_not(entry: PlannedTest, catalogue: Catalogue, descriptor: TargetDescriptor, target: Target) -> str:
    control = catalogue.control(entry.control)
    lacking = needs.reason_to_skip(control, entry.needs, descriptor, target.settings)
    return lacking or identity.why_not(entry.tokens, identity.real_issuers(target.settings))


def show(found: Outlook, console: Console) -> None:
    """Print the totals, and each reason with the cases that it concerns."""
    skipped = sum(map(len, found.skipped.values()))
    total = skipped + len(found.tried)
    console.print(f"\n[bold]On the {escape(found.cluster)}[/bold]")
    console.print(
        f"{len(found.tried)} of {counted(total, 'case')} would be tried, {skipped} skipped:" if skipped else "all tried"
    )
    for reason, ids in found.skipped.items():
        more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
        console.print(escape(f"  {len(ids):5} {reason}: {', '.join(ids[:SHOWN])}{more}"))
    for warning in found.warnings:
        console.print(escape(f"not known yet: {warning}"), style="yellow")
