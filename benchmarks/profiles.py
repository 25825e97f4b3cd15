"""The proving clusters: for each, the time of its start and of its end, and what a whole run proves there."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import common
from clients.model.errors import ClusterError, MeshproofError
from runner.target.in_use import user_of
from testbed.profiles import manager, table
from testbed.profiles.manager import ProfileUp

RUN_S = 3600.0
"""Time limit of a run."""


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = common.options("profiles", __doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="only this profile; repeatable")
    parser.add_argument("--suite", action="append", metavar="SUITE", help="suites of the run; default: all")
    parser.add_argument("--revision", default="", metavar="REV", help="of the mesh; default: that of its settings")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the reports there")
    return parser


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Measure one profile after the other. One that does not start is listed with the reason, and the others go on."""
    figures: dict[str, Any] = {}
    names = given.only or list(table.PROFILES)
    for name in names:
        table.of(name)
    for name in names:
        common.progress(f"profile {name}")
        try:
            figures[name] = of_profile(name, words(given), given.keep)
        except MeshproofError as error:
            figures[name] = {"error": str(error)}
    keys = ("up_s", "down_s", "cases_proven", "failed", "known", "inconclusive", "not_run", "skipped", "wall_s")
    rows = [(name, *(row.get(key, "-") for key in keys)) for name, row in figures.items()]
    common.table("Proving clusters, each by a whole run as a live target", ("profile", *keys), rows)
    return figures


def words(given: argparse.Namespace) -> list[str]:
    """What `meshproof run` gets, from the options here."""
    return [*(given.suite or []), *(["--revision", given.revision] if given.revision else [])]


def of_profile(name: str, asked: list[str], keep: Path | None) -> dict[str, float | int]:
    """The figures of one profile, times in seconds.

    Args:
        asked: suites and options of the run.

    Raises:
        ClusterError: it is up already, it does not start, or the run made no report.
    """
    if manager.status(name).state != "down":
        hint = f"run ./meshproof down --profile {name} first"
        raise ClusterError(f"the profile {name} is up, and this benchmark starts and ends its own", hint)
    try:
        began = time.monotonic()
        profile = manager.up(name, None, common.progress, user_of)
        up_s = time.monotonic() - began
        with tempfile.TemporaryDirectory() as scratch:
            began = time.monotonic()
            totals = run(profile, asked, (keep.resolve() if keep else Path(scratch)) / name)
            wall_s = time.monotonic() - began
    finally:
        began = time.monotonic()
        manager.down(name, common.progress)
        down_s = time.monotonic() - began
    return {"up_s": round(up_s, 1), "down_s": round(down_s, 1), **counted(totals), "wall_s": round(wall_s, 1)}


def counted(totals: Mapping[str, int]) -> dict[str, int]:
    """The numbers of cases by a report's totals. A known failure is none, as for the run's exit code."""
    return {
        "cases_proven": totals["pass"],
        "failed": totals["fail"] - totals["known"],
        "known": totals["known"],
        "skipped": totals["skip"],
        "inconclusive": totals["inconclusive"],
        "not_run": totals["not_run"],
    }


def run(profile: ProfileUp, asked: list[str], out: Path) -> dict[str, int]:
    """The totals of a run as a user starts it."""
    command = [sys.executable, "-m", "runner", "run", *asked, "--out", str(out), "--allow-mesh-wide"]
    command += ["--context", profile.context, "--kubeconfig", profile.kubeconfig]
    environment = {**os.environ, "MESHPROOF_CONFIG": profile.settings}
    subprocess.run(command, cwd=common.ROOT, env=environment, stdout=sys.stderr, timeout=RUN_S)
    report = out / "latest" / "conformance.json"
    if not report.is_file():
        raise ClusterError(f"the run on the profile {profile.name} made no report", "its output has the reason")
    totals: dict[str, int] = json.loads(report.read_text(encoding="utf-8"))["totals"]
    return totals


if __name__ == "__main__":
    raise SystemExit(common.main(arguments(), measure))
