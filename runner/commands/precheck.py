"""`meshproof precheck`: what an upgrade of the mesh would touch on a cluster. Reads only."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from clients.kube.cluster import Cluster
from clients.mesh.istioctl import Analyzer
from clients.mesh.upgrade.change import ChangeLevel, minor_of
from clients.mesh.upgrade.prechecks import Prechecks, check_versions, prechecks
from clients.mesh.upgrade.unchecked import UncheckedReason
from clients.model.counted import counted
from clients.model.errors import ClusterError
from clients.model.exit_code import ExitCode
from runner.commands import common
from runner.config import settings
from runner.config.names import check_names
from runner.target import named, targets
from runner.target.access import Access
from runner.target.target import reach

SHOWN = 5
"""Objects that are printed of one result."""
STYLES = {ChangeLevel.ERROR: "bold red", ChangeLevel.WARNING: "yellow", ChangeLevel.INFO: "dim"}


@common.takes(*common.CLUSTER, "revision", "root_namespace", "istioctl")
def precheck(
    end: Annotated[str, typer.Option("--to", metavar="VERSION", help="Version of Istio after the upgrade.")],
    start: Annotated[
        str | None, typer.Option("--from", metavar="VERSION", help="Version before; default: that of the mesh.")
    ] = None,
    target_revision: Annotated[
        str, typer.Option("--to-revision", metavar="NAME", help="Revision after; default: an upgrade in place.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    *,
    given: common.Given,
) -> int:
    """Print which objects of a cluster an upgrade of the mesh touches; exit 1 when something would break."""
    minor_of(end)  # a mistake is reported before anything is reached
    if start:
        check_versions(start, end)
    check_names("--to-revision", "a revision", [target_revision])
    wanted = settings.load(given)
    target = targets.of(wanted)
    there = reach(target, lambda line: print(line, file=sys.stderr))
    cluster = there.connect()
    try:
        if not start:
            start = _version(cluster, wanted)
            check_versions(start, end)
        found = prechecks(
            cluster,
            start,
            end,
            revision=wanted.revision,
            target=target_revision,
            root=wanted.root_namespace,
            istioctl=_istioctl(there, wanted.revision),
        )
    finally:
        cluster.close()
    if as_json:
        print(json.dumps(asdict(found), indent=1, ensure_ascii=False))
    else:
        show(found, Console(soft_wrap=True))
    if found.of(ChangeLevel.ERROR):
        return ExitCode.FAILED
    seen = all(one.why is UncheckedReason.OUT_OF_SIGHT for one in found.not_checked)  # no user can see more
    return ExitCode.OK if seen else ExitCode.UNKNOWN


def show(found: Prechecks, console: Console) -> None:
    """Print every result with its objects, the worst first, and what could not be looked at."""
    for one in found.found:
        console.print(f"[{STYLES[one.level]}]{one.level:8}[/] {escape(one.code)}: {escape(one.text)}")
        for name in one.objects[:SHOWN]:
            console.print(f"           {escape(name)}")
        if len(one.objects) > SHOWN:
            console.print(f"           and {len(one.objects) - SHOWN} more")
        if one.hint:
            console.print(f"           [dim]hint: {escape(one.hint)}[/]")
    for text in (one.text for one in found.not_checked):
        console.print(f"[yellow]not checked[/] {escape(text)}")
    numbers = ", ".join(counted(len(found.of(level)), level) for level in (ChangeLevel.ERROR, ChangeLevel.WARNING))
    console.print(f"from {found.start} to {found.end}: {numbers}")


def _version(cluster: Cluster, wanted: settings.Settings) -> str:
    version = named.survey_of(cluster, wanted).version
    if not version:
        raise ClusterError("the version of the mesh is not seen", "state it by --from")
    return version


def _istioctl(there: Access, revision: str) -> Analyzer | None:
    if not there.istioctl:
        return None
    return Analyzer(Path(there.istioctl), Path(there.kubeconfig) if there.kubeconfig else None, there.context, revision)
