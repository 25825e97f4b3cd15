"""`meshproof up`, `down`, `status`, `logs`, and `testbed build|digest|export|import`: clusters of our own, by hand.

Each verb is about the embedded cluster, or with `--profile` about a proving cluster (docs/targets.md).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clients.model.errors import SettingsError
from clients.model.exit_code import ExitCode
from reports import files
from runner.commands import common
from runner.config import folders, settings
from testbed.profiles import manager, table
from testbed.versions import istio_release

File = Annotated[Path, typer.Argument(metavar="FILE")]
Component = Annotated[str | None, typer.Argument(help="For instance kubelet, kube-apiserver; default: all.")]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help=f"A proving cluster instead. {table.help_text()}."),
]


Like = Annotated[
    str | None,
    typer.Option(
        "--like", metavar="FILE|CONTEXT", help="Start with the mesh of another cluster (docs/upgrade-prechecks.md)."
    ),
]


@common.takes("istio")
def up(profile: Profile = None, like: Like = None, *, given: common.Given) -> int:
    """Start the embedded cluster; build it first if needed. One that runs with other parts is started again."""
    from runner.commands.like import resolve
    from runner.target.in_use import user_of
    from testbed import api

    if profile is not None and like is not None:
        raise SettingsError("a profile has a mesh of its own", "leave out --profile or --like")
    if profile is not None:
        made = manager.up(profile, _version(given), _print_progress, user_of)
        print(f"profile {made.name}: Istio {made.istio} is ready on Kubernetes {made.kubernetes}; a run against it:")
        print(f"  {made.command}")
        print(f"its administrator: KUBECONFIG={made.administrator}")
        return ExitCode.OK
    version = _version(given)
    istio_release(version)  # a mistake is reported before a cluster is read
    file = resolve(like) if like is not None else None
    testbed = api.up(version, _print_progress, file, in_use=user_of)
    for line in testbed.left:
        print(f"not carried over: {line}")
    print(f"Istio {testbed.istio_version} is ready; KUBECONFIG={testbed.kubeconfig}")
    return ExitCode.OK


def down(profile: Profile = None) -> int:
    """Stop the embedded cluster; only its built parts stay."""
    from testbed import api

    if profile is not None:
        stopped = manager.down(profile, _print_progress)
        print(f"the profile {profile} is down" if stopped else f"the profile {profile} was not up")
        return ExitCode.OK
    print("the testbed is down" if api.down() else "no testbed was up")
    return ExitCode.OK


def status(profile: Profile = None) -> int:
    """Print whether the embedded cluster runs, and which profiles do; exit 1 when it does not."""
    from testbed import api

    found = api.status() if profile is None else manager.status(profile)
    print(found.state)
    _print_details(found.detail)
    for name, other in manager.states().items() if profile is None else ():
        print(f"profile {name}: {other.state}")
        _print_details(other.detail)
    return ExitCode.OK if found.state == "up" else ExitCode.FAILED


def _print_details(detail: dict[str, str]) -> None:
    for name, value in detail.items():
        print(f"  {name}: {value}")


def logs(component: Component = None, profile: Profile = None) -> int:
    """Print the logs of the embedded cluster's parts."""
    from testbed import api

    for line in api.logs(component) if profile is None else manager.logs(profile, component):
        print(line.rstrip("\n"))
    return ExitCode.OK


@common.takes("istio")
def build(*, given: common.Given) -> int:
    """Build the parts of the embedded cluster without starting it."""
    from testbed import api

    api.build(_version(given), _print_progress)
    return ExitCode.OK


def digest() -> int:
    """Print a digest of what the built parts are made of: the key of an exported file in a cache."""
    from testbed import api

    print(api.bundle_key())
    return ExitCode.OK


def export(file: File) -> int:
    """Put the built parts into a file, for a machine without network."""
    from testbed import api

    api.export(folders.check_file(files.real(file), "choose another folder"))
    return ExitCode.OK


def import_(file: File) -> int:
    """Take the built parts out of a file that `testbed export` wrote."""
    from testbed import api

    api.import_(files.real(file))
    return ExitCode.OK


def _version(given: common.Given) -> str | None:
    return settings.load(given).istio or None


def _print_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
