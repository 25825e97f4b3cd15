"""The testbed: time of a warm start and of the end, memory, and with --cold the time of a build."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import common
from clients.model.errors import ClusterError
from testbed import api


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = common.options("testbed", __doc__)
    parser.add_argument("--rounds", type=int, default=3, help="warm starts (default: 3)")
    parser.add_argument("--cold", action="store_true", help="also build everything in an empty cache (many minutes)")
    return parser


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Measure starts and ends, and memory with the benchmarks' pods deployed."""
    if api.status().state != "down":
        raise ClusterError("a testbed is up, and this benchmark starts and ends its own", "run ./meshproof down first")
    api.build(progress=common.progress)
    starts, ends, memory, machine, python = [], [], [], [], []
    for number in range(given.rounds):
        common.progress(f"round {number + 1} of {given.rounds}")
        free = common.meminfo_kib("MemAvailable")
        try:
            starts.append(command("up"))
            with common.world(common.testbed()) as world:
                world.ensure(["environment.yaml"])
                memory.append(sum(map(pss_kib, api.processes())) / common.KIB_PER_GIB)
                machine.append((free - common.meminfo_kib("MemAvailable")) / common.KIB_PER_GIB)
        finally:
            ends.append(command("down"))
        python.append(command("bench", "--help"))
    figures = {
        "warm_up_s": round(statistics.median(starts), 2),
        "down_s": round(statistics.median(ends), 2),
        "memory_gib": round(max(memory), 2),
    }
    rows: list[tuple[object, ...]] = [
        ("warm `meshproof up`, s", *spread(starts)),
        ("`meshproof down`, s", *spread(ends)),
        ("of either, the start of Python and our command line, s", *spread(python)),
        ("memory of the node's processes, GiB", *spread(memory)),
        ("less memory available on the machine, GiB", *spread(machine)),
    ]
    if given.cold:
        figures["cold_build_s"] = round(cold_build(), 1)
        rows.append(("`meshproof testbed build` in an empty cache, s", *[figures["cold_build_s"]] * 3))
    common.table(f"The testbed, {given.rounds} round(s)", ("", "median", "min", "max"), rows)
    return {
        **figures,
        "compared": "the whole commands, Python's start included; up: from nothing running to a mesh that injects, "
        "every part built before. Memory: sum of the proportional set sizes of all processes of the node, with the "
        "control planes and 4 more pods, 3 of them with a sidecar",
    }


def command(*words: str, cache: Path | None = None) -> float:
    """Run a command of meshproof; returns the seconds that it took.

    Raises:
        ClusterError: it failed.
    """
    environment = {**os.environ, **({"MESHPROOF_CACHE_DIR": str(cache)} if cache else {})}
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "runner", *words], cwd=common.ROOT, env=environment, stdout=sys.stderr
    )
    if ended.returncode:
        raise ClusterError(f"meshproof {' '.join(words)} ended with {ended.returncode}", "see what it printed above")
    return time.monotonic() - started


def cold_build() -> float:
    """Seconds to build every part with nothing in the cache, downloads included."""
    with tempfile.TemporaryDirectory(prefix="meshproof-cold-", dir="/var/tmp", ignore_cleanup_errors=True) as cache:
        try:
            return command("testbed", "build", cache=Path(cache))
        finally:
            # Go makes its module cache read-only, folders too.
            for folder, _, _ in os.walk(cache):
                Path(folder).chmod(0o700)


def pss_kib(pid: int) -> int:
    """Memory of a process with its share of shared pages (PSS), in KiB; 0 if the process has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def spread(values: list[float]) -> tuple[float, float, float]:
    """Median, minimum, maximum."""
    return statistics.median(values), min(values), max(values)


if __name__ == "__main__":
    raise SystemExit(common.main(arguments(), measure))
