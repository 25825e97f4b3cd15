"""An upgrade of the mesh on the embedded cluster, there and back: how long it takes, and what held traffic loses."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import common
from clients.model.errors import ClusterError

LIMIT_S = 3 * 3600.0
KEYS = ("wall_s", "requests", "lost", "leaks", "longest_gap_s")


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = common.options("upgrade", __doc__)
    parser.add_argument("--from", dest="start", default="1.29", metavar="VERSION", help="default: 1.29")
    parser.add_argument("--to", dest="end", default="1.31", metavar="VERSION", help="default: 1.31")
    parser.add_argument("-n", "--workers", type=int, default=2, metavar="N", help="test processes; default: 2")
    parser.add_argument("--tier", default="full", help="smoke, core or full; default: full")
    parser.add_argument("--suite", action="append", metavar="SUITE", help="suites of each run; default: all")
    return parser


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """The figures of one upgrade, whatever its verdict is; times in seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "runner", "upgrade", "--from", given.start, "--to", given.end]
        command += ["--workers", str(given.workers), "--tier", given.tier]
        began = time.monotonic()
        ended = subprocess.run(
            [*command, "--out", scratch, *(given.suite or [])], cwd=common.ROOT, stdout=sys.stderr, timeout=LIMIT_S
        )
        wall_s = time.monotonic() - began
        files = list(Path(scratch).glob("*/verdict.json"))
        if ended.returncode not in {0, 1, 3} or not files:
            raise ClusterError(f"the upgrade ended with exit code {ended.returncode}", "its output has the reason")
        found = json.loads(files[0].read_text(encoding="utf-8"))
    figures = {**{key: found[key] for key in KEYS}, "wall_s": round(wall_s, 1)}
    phases = {one["name"]: round(one["ended"] - one["started"], 1) for one in found["phases"]}
    rows = [(*figures.values(), found["verdict"])]
    common.table(f"An upgrade from {given.start} to {given.end} and back", (*KEYS, "verdict"), rows)
    return {**figures, "verdict": found["verdict"], "cut": found["cut"], "tier": given.tier, "phases_s": phases}


if __name__ == "__main__":
    raise SystemExit(common.main(arguments(), measure))
