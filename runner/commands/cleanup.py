"""`meshproof cleanup`: removes by label what killed runs left, on any target."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Annotated

import typer

from clients.kube import lease as leases
from clients.kube.cleanup import cleanup as remove
from clients.kube.cleanup import find
from clients.kube.cluster import Cluster
from clients.kube.lease import holder, in_use
from clients.model.counted import counted
from clients.model.errors import SettingsError
from clients.model.exit_code import ExitCode
from runner.commands import common
from runner.config import folders, rights, settings
from runner.target import targets
from runner.target.in_use import ended_here, in_use_error


@common.takes(*common.CLUSTER)
def cleanup(
    run: Annotated[str, typer.Option(metavar="ID", help="Only what this run left.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Also the objects of a run that still goes on.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be removed.")] = False,
    *,
    given: common.Given,
) -> int:
    """Remove what carries the label of meshproof: namespaces, mesh-wide objects, bindings."""
    if run and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", run):  # the value of a label
        raise SettingsError(f"--run {run!r} is no id of a run", "`meshproof cleanup --dry-run` lists what is there")
    target = targets.of(settings.load(given))
    there = target.look(print)
    if there is None:
        print(f"the {target.kind} cluster is down: nothing to remove")
        return ExitCode.OK
    with closing(there.connect()) as cluster:
        if dry_run:
            for leftover in (found := find(cluster, run, made=rights.made())):
                print(f"would remove {leftover}")
        else:
            if not (run or force):
                refuse_while_in_use(cluster, target.settings.root_namespace or rights.ROOT_NAMESPACE)
            if run and leases.remove(cluster, run):
                print(f"removed the lease of run {run}", flush=True)
            folders.sweep_private_folders()
            found = remove(
                cluster, run, made=rights.made(), on_removed=lambda leftover: print(f"removed {leftover}", flush=True)
            )
    print(counted(len(found), "object") if found else f"nothing to remove{f' of a run {run}' if run else ''}")
    return ExitCode.OK


def refuse_while_in_use(cluster: Cluster, root: str = rights.ROOT_NAMESPACE) -> None:
    """Refuse to clean up while a run goes on; one that died on this machine does not count.

    Raises:
        ConflictError: another run holds the cluster.
    """
    busy = holder(cluster)
    if busy and not ended_here(busy):
        raise in_use_error(cluster, in_use(busy, "wait for it, name a run by --run, or use --force"), busy, root=root)
