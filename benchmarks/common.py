"""Shared by the benchmarks: options, facts about the machine, tables, JSON, and a private rig on the testbed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from clients.apply.overlay import Overlay
from clients.apply.references import namespaces_in
from clients.identity.tokens import TokenIssuer
from clients.kube.cluster import Cluster
from clients.kube.lease import RunLease
from clients.mesh.discovery import MeshInfo, discover
from clients.model.errors import ClusterError, MeshproofError
from clients.model.exit_code import ExitCode
from clients.probe.convergence import ConvergencePolicy
from clients.proof.rig.rig import Rig, RigOptions
from reports.record.model import TargetInfo
from runner.interrupts import sigterm_interrupts
from runner.target import assemble, browsers
from runner.target.descriptor import TargetDescriptor
from runner.target.embedded import external_hosts
from runner.target.in_use import user_of
from runner.target.template_values import Scope
from testbed import api, golden
from testbed.api import Up
from testbed.parts import Parts
from testbed.versions import istio_release

ROOT = Path(__file__).resolve().parent.parent
MANIFESTS = ROOT / "benchmarks" / "manifests"
KIB_PER_GIB = 1024**2

Measure = Callable[[argparse.Namespace], Mapping[str, Any]]
"""Measures, prints its tables, and returns the keys of its JSON file."""

console = Console(width=132, highlight=False)


def options(name: str, about: str) -> argparse.ArgumentParser:
    """The parser that every benchmark extends."""
    parser = argparse.ArgumentParser(prog=f"meshproof bench {name} --", description=about)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    return parser


def main(parser: argparse.ArgumentParser, measure: Measure) -> int:
    """Parse, measure, write; returns the exit code. Bad input is reported in one line."""
    arguments = parser.parse_args()
    here = machine()
    say(f"machine: {here['cpus']} CPUs, {here['memory_gib']} GiB, Linux {here['kernel']}, load {here['load']} at start")
    try:
        with sigterm_interrupts():
            figures = dict(measure(arguments))
        here["load_at_end"] = round(os.getloadavg()[0], 2)
        say(f"load at end: {here['load_at_end']}")
        for name, value in figures.items():
            say(f"{name}: {value}")
        if arguments.json:
            arguments.json.write_text(json.dumps({**figures, "machine": here}, indent=1) + "\n", encoding="utf-8")
    except (MeshproofError, OSError) as error:
        print(f"meshproof: {error}", file=sys.stderr)
        return ExitCode.BAD_INPUT
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return 0


def machine() -> dict[str, Any]:
    """The machine that was measured on; `load`, the average of the last minute, is a sign of noise."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(meminfo_kib("MemTotal") / KIB_PER_GIB, 1),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 2),
    }


def meminfo_kib(name: str) -> int:
    """One line of /proc/meminfo, in KiB."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left", no_wrap=not number)
    for row in rows:
        made.add_row(*(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row))
    console.print(made)


def say(text: str) -> None:
    """Print a line of the result."""
    console.print(text, markup=False)


def progress(text: str) -> None:
    """Print a line of progress, with the time, to stderr."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def browser() -> str:
    """A Chromium on this machine, which is downloaded where there is none.

    Raises:
        ClusterError: there is none, and none can be had.
    """
    found = browsers.find_or_install(lambda: True, progress)
    if not found.program:
        raise ClusterError(f"no browser: {found.why_not}", browsers.HINT)
    return found.program


def kubectl(up: Up) -> list[str]:
    """The cluster's own kubectl: the first words of a command."""
    programs = golden.programs(Parts(istio_release(up.istio_version), progress))
    return [str(programs.kubernetes / "kubectl"), "--kubeconfig", str(up.kubeconfig)]


def descriptor(up: Up) -> TargetDescriptor:
    """The testbed as a run would describe it."""
    mesh = MeshInfo("istio", up.istio_version, gateway_nodes=True)
    return TargetDescriptor(TargetInfo("embedded"), mesh, images=up.images, outside=external_hosts(up))


def bare_rig(up: Up, names: Overlay, tokens: TokenIssuer, manifests: Path) -> Rig:
    """A rig without an environment, to derive the form of requests from it."""
    options = RigOptions(external=assemble.external(descriptor(up)))
    cluster = Cluster.connect(up.kubeconfig)
    return Rig.make(cluster, discover(cluster), names, tokens, manifests, options)


def overlay(up: Up, manifests: Path, *, run: str, prefix: str, tokens: TokenIssuer) -> Overlay:
    """The names of one benchmark's objects; template values as in a run."""
    known = namespaces_in(assemble.manifest_texts(manifests))
    made = assemble.overlay(descriptor(up), run, "bench", lambda _: None, tokens, Scope(prefix, assemble.OURS))
    return replace(made, prefix=prefix, namespaces=known)


@contextmanager
def rig(
    up: Up, manifests: Path = MANIFESTS, policy: ConvergencePolicy | None = None, *, ready_s: float = 120.0
) -> Iterator[Rig]:
    """A rig on the testbed, under the lease that keeps runs out; its environments are deleted at the end.

    Args:
        ready_s: as in `RigOptions`.
    """
    run = f"bench-{secrets.token_hex(3)}"
    cluster = Cluster.connect(up.kubeconfig)
    tokens = TokenIssuer()
    names = overlay(up, manifests, run=run, prefix=f"{run}-", tokens=tokens)
    with RunLease(cluster, f"meshproof bench, pid {os.getpid()}", run=run):
        options = RigOptions(
            policy=policy or ConvergencePolicy(), ready_s=ready_s, external=assemble.external(descriptor(up))
        )
        made = Rig.make(cluster, discover(cluster), names, tokens, manifests, options)
        try:
            yield made
        finally:
            made.close()
            cluster.close()


def testbed() -> Up:
    """The testbed; it is started if needed."""
    return api.up(progress=progress, in_use=user_of)
