"""The truth table at scale: 4, 11, 25 and 50 namespaces, each asking each, on fresh connections."""

from __future__ import annotations

import argparse
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.testbed import pss_kib
from clients import table
from clients.case import Case, Workload
from clients.errors import ClusterError
from clients.evidence import Evidence, Verdict
from clients.expect import status
from clients.stage import RunningStage, Stage
from clients.table import Table
from clients.verify import Facts
from clients.world import World
from reports import html
from reports.model import MeshInfo, Report, RunInfo, TargetInfo
from testbed import api
from testbed.api import Up

SIZES = (4, 11, 25, 50)
FLAT = 0.25
"""How far the cost of a pair at 50 namespaces may be from that at 11."""
CONTROL = "X-BTQ-TABLE-01"
READY_S = 600.0
POD = """apiVersion: v1
kind: Namespace
metadata:
  name: {name}
  labels: {{istio-injection: {injection}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: {name}}}
spec:
  selector: {{app: web}}
  ports: [{{name: http, port: 7001}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {name}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      enableServiceLinks: false
      terminationGracePeriodSeconds: 1
      containers:
        - name: porter
          image: meshproof/porter
          imagePullPolicy: IfNotPresent
          args: [porter]
          env: [{{name: SERVE_PORT_7001, value: ok}}]
        - name: client
          image: meshproof/sleep
          imagePullPolicy: IfNotPresent
          command: [sleep, infinity]
"""


@dataclass(frozen=True)
class Measured:
    """One size. Times in seconds, memory in MiB."""

    namespaces: int
    deployed_s: float
    table_s: float
    probes: int
    harness_mib: float
    cluster_mib: float

    @property
    def pair_ms(self) -> float:
        """Cost of one pair: of all its probes, and of everything around them."""
        return 1000 * self.table_s / self.namespaces**2

    @property
    def rate(self) -> float:
        """Probes a second, each on a fresh connection."""
        return self.probes / self.table_s


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = common.options("scale", __doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of namespaces")
    parser.add_argument("--plain", action="store_true", help="pods without sidecar")
    parser.add_argument("--rounds", type=int, default=3, help="tables of each size; the quickest counts (default: 3)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write the largest table's report there")
    return parser


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Each size in namespaces of its own, one size after the other."""
    up = common.testbed()
    found, cells = [], list[Evidence]()
    for size in given.sizes:
        with ground(up, size, injected=not given.plain) as (world, deployed_s):
            common.progress(f"{size} namespaces deployed in {deployed_s:.1f} s")
            rounds = [one_table(world, size) for _ in range(given.rounds)]
            table_s, cells = min(rounds, key=lambda one: one[0])
            memory = pss_kib(os.getpid()) / 1024, sum(map(pss_kib, api.processes())) / 1024
        probes = sum(len(cell.attempts) for cell in cells)
        found.append(Measured(size, deployed_s, table_s, probes, *memory))
        common.progress(f"{size}: {table_s:.1f} s, {found[-1].rate:.0f} probes/s")
    if given.html:
        given.html.write_text(page(up, cells), encoding="utf-8")
    common.table(
        f"Truth table, {'without sidecars' if given.plain else 'every pod with a sidecar'}, 3 probes a pair",
        ("namespaces", "pairs", "deployed, s", "table, s", "ms a pair", "probes/s", "harness, MiB", "cluster, MiB"),
        [
            (m.namespaces, m.namespaces**2, m.deployed_s, m.table_s, m.pair_ms, m.rate, m.harness_mib, m.cluster_mib)
            for m in found
        ],
    )
    return figures(found)


def figures(found: list[Measured]) -> dict[str, Any]:
    """Keys of the JSON file; the ratio where both sizes were measured."""
    by_size = {one.namespaces: one for one in found}
    told: dict[str, Any] = {
        f"namespaces_{one.namespaces}": {
            "table_s": round(one.table_s, 2),
            "cost_per_pair_ms": round(one.pair_ms, 2),
            "probes_per_s": round(one.rate, 1),
            "deployed_s": round(one.deployed_s, 1),
            "harness_mib": round(one.harness_mib),
            "cluster_mib": round(one.cluster_mib),
        }
        for one in found
    }
    if {11, 50} <= by_size.keys():
        ratio = by_size[50].pair_ms / by_size[11].pair_ms
        told |= {"cost_per_pair_50_over_11": round(ratio, 3), "flat": abs(ratio - 1) <= FLAT}
    return told


@contextmanager
def ground(up: Up, size: int, *, injected: bool) -> Iterator[tuple[World, float]]:
    """A World with so many namespaces, and how long they took to be ready."""
    with tempfile.TemporaryDirectory(prefix="meshproof-scale-") as folder:
        (Path(folder) / "scale").mkdir()
        for name in names(size):
            text = POD.format(name=name, injection="enabled" if injected else "disabled")
            (Path(folder) / "scale" / f"{name}.yaml").write_text(text, encoding="utf-8")
        with common.world(up, Path(folder)) as world:
            world.applier.timeout_s = READY_S
            began = time.monotonic()
            world.ensure(("scale",))
            yield world, time.monotonic() - began


def one_table(world: World, size: int) -> tuple[float, list[Evidence]]:
    """Wall time in seconds, and evidence of every cell.

    Raises:
        ClusterError: a cell did not pass.
    """
    cells = tuple(
        Case(
            CONTROL,
            Workload(source, "web", "client").get(f"http://web.{there}.svc.cluster.local:7001/"),
            status(200),
            variant=f"{source} to {there}",
        )
        for source in names(size)
        for there in names(size)
    )
    with RunningStage(world, Stage(f"scale-{size}", ground=("scale",)), ()) as running:
        began = time.monotonic()
        proven = table.prove(running, Table(CONTROL, cells), Facts("Each namespace reaches each", "allow"))
        took_s = time.monotonic() - began
    if wrong := next((cell for cell in proven if cell.verdict is not Verdict.PASS), None):
        raise ClusterError(f"{wrong.id}: {wrong.reason}", "a time is worth nothing then")
    return took_s, proven


def names(size: int) -> list[str]:
    """`scale-01` and so on."""
    return [f"scale-{number:02}" for number in range(1, size + 1)]


def page(up: Up, cells: list[Evidence]) -> str:
    """The report of the table, as a run would write it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run = RunInfo(id=f"bench-{secrets.token_hex(3)}", started=now, ended=now, command="meshproof bench scale", exit=0)
    target = TargetInfo("embedded", up.kubernetes_version, MeshInfo("istio", up.istio_version, "default"))
    return html.render(Report(run, target, tuple(cells)))


if __name__ == "__main__":
    raise SystemExit(common.main(arguments(), measure))
