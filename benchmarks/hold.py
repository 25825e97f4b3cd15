"""Held traffic: how much processor time it takes in the cluster, by program, and what it loses meanwhile."""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import common
from clients.hold import held as holding
from clients.hold.held import Held
from clients.hold.seen import Seen
from clients.kube.cluster import Cluster
from clients.mesh.discovery import discover
from clients.model.errors import ClusterError
from runner.config import settings
from runner.target import held_traffic, targets

SETTLE_S = 10.0
TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")
Spent = Mapping[tuple[str, str], float]
"""(workload, program) → seconds of processor time so far."""


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = common.options("hold", __doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long it is measured (default: 60)")
    return parser


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Share of all processors that the hold's pods took, by the clock of the kernel for each of their processes."""
    common.testbed()
    target = targets.of(settings.load({}))
    there = target.access(common.progress)
    with closing(there.connect()) as cluster:
        applier = held_traffic.applier(cluster, target.settings, there, discover(cluster).label, own=True)
        held = holding.start(cluster, applier, common.progress)
        try:
            time.sleep(SETTLE_S)
            began, before, seen = time.monotonic(), spent(cluster, held), holding.check(cluster, held)
            time.sleep(given.seconds)
            took, after, at_end = time.monotonic() - began, spent(cluster, held), holding.check(cluster, held)
        finally:
            holding.stop(cluster, held)
    if before.keys() != after.keys():
        raise ClusterError("pods of the held traffic were replaced meanwhile", "measure again")
    return figures({key: (after[key] - before[key]) / took for key in after}, seen, at_end)


def figures(used: Spent, seen: Seen, at_end: Seen) -> dict[str, Any]:
    """The keys, and a table of the share of one processor by workload and program."""
    rate = (at_end.requests - seen.requests) / (at_end.until - seen.until)
    rows = [(f"{name}: {program}", 100 * share) for (name, program), share in sorted(used.items())]
    programs: dict[str, float] = defaultdict(float)
    for (_, program), share in used.items():
        programs[program] += share
    rows += [(f"all: {program}", 100 * share) for program, share in sorted(programs.items())]
    common.table(f"{rate:.0f} requests a second", ("workload: program", "% of one processor"), rows)
    total = sum(used.values())
    return {
        "requests_per_s": round(rate, 1),
        "cores": round(total, 3),
        "share_of_two_cores": round(total / 2, 3),
        "ms_per_request": round(1000 * total / rate, 2) if rate else None,
        "lost": at_end.lost,
        "leaks": at_end.leaked,
        "longest_gap_s": round(at_end.longest_gap_s, 3),
    }


def spent(cluster: Cluster, held: Held) -> Spent:
    """Processor time of the programs in the hold's pods; replicas of a workload together."""
    pods = {
        str(pod["metadata"]["uid"]): str(pod["metadata"]["labels"]["app"])
        for namespace in held.namespaces.values()
        for pod in cluster.objects("v1", "Pod", namespace)
    }
    found: dict[tuple[str, str], float] = defaultdict(float)
    for process in PROC.glob("[0-9]*"):
        try:
            groups = (process / "cgroup").read_text(encoding="utf-8").replace("_", "-")
            name = next((app for uid, app in pods.items() if f"pod{uid}" in groups), "")
            if name:
                program, seconds = usage((process / "stat").read_text(encoding="utf-8"))
                found[name, program] += seconds
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
    return found


def usage(stat: str) -> tuple[str, float]:
    """A process's name and its seconds of processor time, of its line in /proc (proc(5): fields 2, 14 and 15)."""
    before, _, after = stat.rpartition(")")
    fields = after.split()
    return before.partition("(")[2], (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    raise SystemExit(common.main(arguments(), measure))
