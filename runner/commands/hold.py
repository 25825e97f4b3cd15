"""`meshproof hold`: traffic that goes on in the cluster while anything is done to it, and the account of it."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from typing import Annotated

import typer
from rich.console import Console

from clients.hold import held as holding
from clients.hold.seen import Seen
from clients.kube.cluster import Cluster
from clients.mesh import discovery
from clients.model.errors import ClusterError, SettingsError
from clients.model.exit_code import ExitCode
from reports import hold as shown
from runner.commands import common
from runner.config import settings
from runner.config.settings import Settings
from runner.target import held_traffic, named, targets
from runner.target.target import reach

WIDTH = 110
"""Columns that the table takes at least."""
MARK_LENGTH = 100
"""Characters of a mark's name: all marks are in one ConfigMap."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def say(line: str) -> None:
    """One line of progress."""
    print(f"  {line}", file=sys.stderr, flush=True)


@common.takes(*common.CLUSTER, "revision", "root_namespace", "image_prefix")
def start(*, given: common.Given) -> int:
    """Deploy servers, gateways and clients, and let requests go on until `hold stop`."""
    wanted = settings.load(given)
    target = targets.of(wanted)
    there = target.access(say)
    held_traffic.require_image(there)
    with closing(there.connect()) as cluster:
        mesh = discovery.seen(named.survey_of(cluster, wanted))
        own, domain, prior = target.starts_itself, mesh.cluster_domain, mesh.prior
        applier = held_traffic.applier(cluster, wanted, there, mesh.label, own=own, domain=domain, prior=prior)
        held = holding.start(cluster, applier, say)
    print(f"traffic is held as {held.id}; look at it by `meshproof hold check`, end it by `meshproof hold stop`")
    return ExitCode.OK


@common.takes(*common.CLUSTER)
def check(as_json: AsJson = False, *, given: common.Given) -> int:
    """Print what has become of all requests. Exit code 0: none lost or leaked; 1: some were; 3: not all is known."""
    with closing(_connect(settings.load(given))) as cluster:
        seen = holding.check(cluster, holding.require(cluster))
    print_seen(seen, as_json=as_json)
    return code(seen)


@common.takes(*common.CLUSTER)
def mark(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What begins now, for instance: drain of node-2.")],
    *,
    given: common.Given,
) -> int:
    """Note what begins now, so that `hold check` names it next to what happens from now on."""
    if not name.strip() or len(name) > MARK_LENGTH or not name.isprintable():
        raise SettingsError(f"a mark needs a name of at most {MARK_LENGTH} printable characters", "for instance: drain")
    with closing(_connect(settings.load(given))) as cluster:
        at = holding.mark(cluster, holding.require(cluster), name)
    print(f"{name}: from {shown.clock(at)} on")
    return ExitCode.OK


@common.takes(*common.CLUSTER)
def stop(as_json: AsJson = False, *, given: common.Given) -> int:
    """Print the last account, end the requests, and remove all of it; the exit code is that of `check`."""
    with closing(_connect(settings.load(given))) as cluster:
        held = holding.find(cluster)
        if held is None:
            print("no traffic is held on this cluster")
            return ExitCode.OK
        seen = _last(cluster)
        holding.stop(cluster, held)
    if seen is None:
        print(f"the held traffic {held.id} was not whole; it is removed")
        return ExitCode.UNKNOWN
    print_seen(seen, as_json=as_json)
    return code(seen)


def code(seen: Seen) -> int:
    """Exit code: 0 nothing was lost or leaked, 1 something was, 3 not everything was observed."""
    if seen.lost or seen.leaked or seen.other:
        return ExitCode.FAILED
    return ExitCode.OK if seen.certain else ExitCode.UNKNOWN


def print_seen(seen: Seen, *, as_json: bool) -> None:
    """For people, or as JSON."""
    if as_json:
        print(json.dumps(shown.as_json(seen), indent=1))
        return
    console = Console(soft_wrap=True)
    console.print(shown.table(seen), width=max(console.width, WIDTH))
    for line in shown.lines(seen):
        console.print(line, markup=False, highlight=False)


def _last(cluster: Cluster) -> Seen | None:
    try:
        return holding.check(cluster, holding.require(cluster))
    except ClusterError:
        return None


def _connect(wanted: Settings) -> Cluster:
    target = targets.of(wanted)
    return reach(target, say).connect()
