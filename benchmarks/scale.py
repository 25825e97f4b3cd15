"""Truth tables of 4, 11, 25 and 50 namespaces: each calls each, on fresh connections."""

from __future__ import annotations

import argparse
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.inotify import room
from benchmarks.probe import run_loop
from benchmarks.scale_figures import Measured, figures, show
from benchmarks.testbed import pss_kib
from clients.model.case import Case
from clients.model.errors import ClusterError
from clients.model.evidence import Evidence, Subject, Verdict
from clients.model.expect import status
from clients.model.probe import Workload
from clients.model.stage import Stage
from clients.proof import table
from clients.proof.case_runner import CaseRunner
from clients.proof.rig.rig import Rig
from clients.proof.stage.observation import BASELINE_CONFIRMATIONS
from clients.proof.stage.running_stage import RunningStage
from clients.proof.table import Table
from reports import html
from reports.record.model import MeshRecord, Report, RunInfo, TargetInfo
from testbed import api
from testbed.api import Up

SIZES = (4, 11, 25, 50)
CONTROL = "X-BTQ-TABLE-01"
READY_S = 600.0
MANIFEST, EXAMPLE = common.MANIFESTS / "scale.yaml", "scale-00"


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = common.options("scale", __doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of namespaces")
    parser.add_argument("--rounds", type=int, default=3, help="tables of each size (default: 3)")
    parser.add_argument("--pairs", type=int, default=4, help="pairs to ask by kubectl exec (default: 4)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write the largest table's report there")
    return parser


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Measure each size, the smallest first; each adds namespaces to the previous one."""
    sizes = sorted(set(given.sizes))
    up = common.testbed()
    found, cells = [], list[Evidence]()
    with room(sizes[-1]), environment(up, sizes) as rig:
        for size in sizes:
            deployed_s = deploy(rig, size)
            common.progress(f"{size} namespaces, the new ones deployed in {deployed_s:.1f} s")
            rounds = [one_table(rig, size) for _ in range(given.rounds)]
            cells = rounds[-1][1]
            memory = pss_kib(os.getpid()) / 1024, sum(map(pss_kib, api.processes())) / 1024
            tables_s, probes = tuple(took_s for took_s, _ in rounds), sum(len(cell.attempts) for cell in cells)
            by_kubectl = kubectl_s(rig, common.kubectl(up), size, given.pairs)
            found.append(Measured(size, deployed_s, tables_s, probes, by_kubectl, *memory))
            common.progress(f"{size}: {found[-1].table_s:.1f} s, {found[-1].rate:.0f} probes/s")
        show(found)  # before fifty namespaces are deleted, which takes a while
        if given.html:
            given.html.write_text(page(up, cells), encoding="utf-8")
    return figures(found)


@contextmanager
def environment(up: Up, sizes: list[int]) -> Iterator[Rig]:
    """A rig whose manifests are the namespaces, a folder for those that each size adds; none is deployed yet."""
    with tempfile.TemporaryDirectory(prefix="meshproof-scale-") as folder:
        example = MANIFEST.read_text(encoding="utf-8")
        for size, before in zip(sizes, [0, *sizes], strict=False):
            added = Path(folder) / str(size)
            added.mkdir()
            for name in names(size)[before:]:
                (added / f"{name}.yaml").write_text(example.replace(EXAMPLE, name), encoding="utf-8")
        with common.rig(up, Path(folder), ready_s=READY_S) as rig:
            yield rig


def deploy(rig: Rig, size: int) -> float:
    """Deploy the namespaces that this size adds; returns the seconds until all are ready."""
    began = time.monotonic()
    rig.environments.ensure([str(size)])
    return time.monotonic() - began


def one_table(rig: Rig, size: int) -> tuple[float, list[Evidence]]:
    """Wall time in seconds, and evidence of every cell.

    Raises:
        ClusterError: a cell did not pass.
    """
    cells = tuple(
        Case(CONTROL, client(source).get(url(there)), status(200), variant=f"{source} to {there}")
        for source in names(size)
        for there in names(size)
    )
    with RunningStage(rig, Stage(f"scale-{size}"), ()) as running:
        began = time.monotonic()
        about = Subject(control=CONTROL, id=CONTROL, title="Each namespace reaches each", polarity="allow")
        subjects = {cell.id: replace(about, id=cell.id, expected=cell.expect.text) for cell in cells}
        with CaseRunner(running, []) as case_runner:
            proven = table.prove_table(case_runner, Table(CONTROL, cells), subjects)
        took_s = time.monotonic() - began
    if wrong := next((cell for cell in proven if cell.verdict is not Verdict.PASS), None):
        raise ClusterError(f"{wrong.id}: {wrong.reason}", "all probes must pass for a valid time")
    return took_s, proven


def kubectl_s(rig: Rig, kubectl: list[str], size: int, pairs: int) -> float:
    """Seconds for one pair by a loop of `kubectl exec` with the same number of probes.

    Raises:
        ClusterError: a probe of it did not answer 200.
    """
    there = names(size)
    began = time.monotonic()
    for number in range(pairs):
        [pod] = rig.workloads.pods(client(there[number % size]))
        target = rig.overlay.url(url(there[-1 - number % size]))
        if run_loop(kubectl, pod, "client", target, BASELINE_CONFIRMATIONS) != BASELINE_CONFIRMATIONS:
            raise ClusterError(
                f"kubectl exec in {pod} did not see 200 of {target}", "all probes must pass for a valid time"
            )
    return (time.monotonic() - began) / max(1, pairs)


def client(namespace: str) -> Workload:
    """The client container in the pod of a namespace's server."""
    return Workload(namespace, "web", "client")


def url(namespace: str) -> str:
    """The server of a namespace."""
    return f"http://web.{namespace}.svc.cluster.local:7001/"


def names(size: int) -> list[str]:
    """`scale-01` and so on."""
    return [f"scale-{number:02}" for number in range(1, size + 1)]


def page(up: Up, cells: list[Evidence]) -> str:
    """The report of the table, as a run would write it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run = RunInfo(id=f"bench-{secrets.token_hex(3)}", started=now, ended=now, command="meshproof bench scale", exit=0)
    target = TargetInfo("embedded", up.kubernetes_version, MeshRecord("istio", up.istio_version, "default"))
    return html.render(Report(run, target, tuple(cells)))


if __name__ == "__main__":
    raise SystemExit(common.main(arguments(), measure))
