"""`meshproof doctor --policies`: what the policies on a cluster may not do as they seem to."""

from __future__ import annotations

import json
import sys
from contextlib import closing

from rich.console import Console
from rich.markup import escape

from clients.kube.cluster import Cluster
from clients.mesh.survey.survey import ROOT_NAMESPACE
from clients.model.counted import counted
from clients.model.errors import MeshproofError
from clients.model.exit_code import ExitCode
from runner.commands import policy_warnings
from runner.config.settings import Settings
from runner.target import named
from runner.target.target import Target, reach


def show(target: Target, *, as_json: bool) -> int:
    """Print the warnings; see docs/why.md.

    Warnings, and what this identity may not read, do not change the exit code.

    Raises:
        ClusterError: there is no cluster, or it does not answer.
        SettingsError: the settings name a root namespace that does not exist.
    """
    there = reach(target, lambda line: print(line, file=sys.stderr))
    with closing(there.connect()) as cluster:
        found, refused, number = policy_warnings.of_cluster(cluster, _root(cluster, target.settings))
    if as_json:
        rows = [{"detector": name, "text": line} for name, lines in found.items() for line in lines]
        print(json.dumps({"policies": number, "warnings": rows, "not_read": refused}, indent=1))
        return ExitCode.OK
    console = Console(soft_wrap=True)
    for name, lines in found.items():
        for line in lines:
            console.print(f"[yellow]warning[/yellow]  {name}: {escape(line)}")
    for line in refused:
        console.print(f"[yellow]without[/yellow]  {escape(line)}")
    warnings = sum(map(len, found.values()))
    console.print(
        f"{counted(number, 'policy', 'policies')}, {counted(warnings, 'warning') if warnings else 'no warning'}"
    )
    return ExitCode.OK


def _root(cluster: Cluster, wanted: Settings) -> str:
    """The root namespace; the usual one where this identity may not see what injects, or it is not clear which.

    Raises:
        SettingsError: the settings name one that does not exist.
    """
    survey = named.survey_of(cluster, wanted)
    try:
        _ = survey.configurations  # looks at what injects, and at the revision
    except MeshproofError:
        return wanted.root_namespace or ROOT_NAMESPACE
    return survey.root
