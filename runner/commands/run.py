"""`meshproof run`: the suites against a target, then the reports, whatever happened."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from clients.kube import lease
from clients.kube.cleanup import cleanup
from clients.kube.cluster import Cluster
from clients.kube.lease import holder, in_use
from clients.model.errors import MeshproofError, SettingsError
from reports import conformance, terminal, write
from reports.journal import Contents, Journal, read
from reports.model import RunInfo, TargetInfo
from runner.commands import child, common
from runner.config import catalogue, folders, rights, settings
from runner.target import identity
from runner.target.access import access
from runner.target.descriptor import TargetDescriptor
from runner.target.held_target import connect

PYTEST_USAGE_ERROR = 4
PYTEST_NOTHING_SELECTED = 5


def run(
    paths: common.Paths = None,
    control: common.Controls = None,
    keyword: common.Keyword = None,
    marks: common.Marks = None,
    workers: Annotated[
        int | None, typer.Option("-n", "--workers", metavar="N", help="Test processes; 0: none.")
    ] = None,
    target: common.Target = None,
    context: common.Context = None,
    kubeconfig: common.Kubeconfig = None,
    revision: common.Revision = None,
    istio: common.Istio = None,
    hosts: common.ExternalHosts = None,
    istioctl: common.Istioctl = None,
    allow_mesh_wide: common.AllowMeshWide = None,
    budget: Annotated[float | None, typer.Option(metavar="S", help="Seconds for a case to converge.")] = None,
    confirmations: Annotated[
        int | None, typer.Option(metavar="K", help="Matches in a row, not the derived ones.")
    ] = None,
    shuffle: Annotated[
        int | None, typer.Option(metavar="SEED", help="Random order, the same for the same seed.")
    ] = None,
    enforce: Annotated[bool | None, typer.Option("--enforce", help="A missing capability fails, not skips.")] = None,
    keep: Annotated[bool | None, typer.Option("--keep", help="Stop at the first failure, leave its objects.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where folders of runs are made.")] = None,
    plugin: Annotated[list[str] | None, typer.Option("-p", metavar="MODULE", help="Load a pytest plugin.")] = None,
    verbose: Annotated[bool, typer.Option("-v", help="Tell more.")] = False,
) -> int:
    """Prove the controls on a target and write the reports."""
    given: dict[str, Any] = {
        "target": target and target.value,
        "context": context,
        "kubeconfig": common.absolute(kubeconfig),
        "revision": revision,
        "istio": istio,
        "hosts": hosts and hosts.value,
        "istioctl": common.absolute(istioctl),
        "confirmations": confirmations,
        "shuffle": shuffle,
        "allow_mesh_wide": allow_mesh_wide,
        "enforce": enforce,
        "keep": keep,
        "out": common.absolute(out),
    }
    # A mistake is told before anything starts.
    wanted = settings.load({**given, "budget_s": budget, "workers": workers})
    catalogue.load().select(control or ())
    if not plugin:  # a plugin may stand in for the target
        look_first(wanted)
    folder = folders.make_run_folder(wanted.out)
    words = common.options({**given, "budget": budget, "control": control, "k": keyword, "m": marks, "p": plugin})
    words += ["-n", str(wanted.workers), "--dist", "loadfile"] if wanted.workers else []
    words += ["-v"] if verbose else []
    return conduct([*words, *common.suites(paths)], folder, kind=wanted.target.value, keep=wanted.keep)


def look_first(wanted: settings.Settings) -> None:
    """Tell in one line, before anything starts, what would end the run at its first case.

    Raises:
        MeshproofError: bad ground, an unreachable cluster, or one that another run holds.
    """
    identity.check(wanted)
    if wanted.target is settings.TargetKind.EMBEDDED:
        from testbed import api, preflight

        if api.status().state != "up":
            preflight.require(built=api.built(wanted.istio or None))
            return
    there = access(wanted.model_copy(update={"archives": ()}), print)
    cluster = Cluster.connect(there.file, there.context or None)
    busy = holder(cluster)
    cluster.close()
    if busy:
        raise in_use(busy)


def conduct(words: list[str], folder: Path, *, kind: str, keep: bool = False) -> int:
    """Run pytest with these words; write the reports of what its journal says; returns the exit code.

    Args:
        kind: of the target, for the report of a run that never got to look at it.
    """
    started = folders.now()
    ended = child.python("-m", "pytest", "-p", "no:cacheprovider", "--meshproof-run", str(folder), *words)
    folders.sweep_private_folders()
    journal = folder / folders.JOURNAL
    if not journal.exists():
        # Nothing was selected, or a mistake was told by the child: there is nothing to report.
        folder.rmdir() if not any(folder.iterdir()) else None
        return _code_without_journal(ended)
    contents = read(journal)
    clean = True
    if not (contents.run and contents.run.ended) and not keep:
        clean = sweep_after_death(folder)
    info = closing(contents, folder, started, ended)
    about = contents.target or TargetInfo(kind=kind)
    info = replace(info, exit=exit_code(ended, conformance.build(contents, info, about).ok and clean))
    Journal(journal).run(info)
    index = write.write_all(journal, folder, info, about)
    terminal.print_summary(Console(), conformance.build(read(journal), info, about), index)
    return info.exit if info.exit is not None else common.FAILED


def closing(contents: Contents, folder: Path, started: str, ended: child.Ended) -> RunInfo:
    """The run's own record, as the test process wrote it or, where that died, as far as it is known."""
    command = shlex.join(["meshproof", *sys.argv[1:]])
    info = contents.run or RunInfo(id=folder.name, started=started, command=command)
    died = f"the test process died ({ended.code})" if not info.ended else ""
    why = ended.interrupted or info.interrupted or died
    return replace(info, command=command, ended=info.ended or folders.now(), interrupted=why)


def exit_code(ended: child.Ended, ok: bool) -> int:
    """0 all pass, 1 something failed or is inconclusive, 2 bad input, 130 interrupted."""
    if ended.interrupted or ended.code == common.INTERRUPTED:
        return common.INTERRUPTED
    if ended.code in {common.BAD_INPUT, PYTEST_USAGE_ERROR}:
        return common.BAD_INPUT
    return common.OK if ok and ended.code == 0 else common.FAILED


def sweep_after_death(folder: Path) -> bool:
    """Remove what a test process that died could not; says whether the cluster is clean."""
    record = folder / folders.TARGET
    if not record.exists():
        return True
    try:
        cluster = connect(TargetDescriptor.from_json(record.read_text(encoding="utf-8")))
        for leftover in cleanup(cluster, folder.name, made=rights.made()):
            print(f"meshproof: removed {leftover}", file=sys.stderr)
        lease.remove(cluster, folder.name)
    except (MeshproofError, OSError) as error:
        print(f"meshproof: the clean-up failed: {error}; run `meshproof cleanup`", file=sys.stderr)
        return False
    return True


def _code_without_journal(ended: child.Ended) -> int:
    if ended.code == PYTEST_NOTHING_SELECTED:
        raise SettingsError("nothing was selected", "see `meshproof plan` for what there is")
    if ended.code < 0 and not ended.interrupted:
        print(f"meshproof: the test process died (signal {-ended.code}); pid {os.getpid()}", file=sys.stderr)
    return exit_code(ended, ok=False)
