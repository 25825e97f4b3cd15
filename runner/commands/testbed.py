"""`meshproof up`, `down`, `status`, `logs`, and `testbed build|export|import`: the embedded cluster by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from runner.commands import common
from runner.config import settings

File = Annotated[Path, typer.Argument(metavar="FILE")]
Component = Annotated[str | None, typer.Argument(help="For instance kubelet, istiod; default: all.")]


@common.takes("istio")
def up(*, given: common.Given) -> int:
    """Start the embedded cluster; build it first if needed. A second start finds it running."""
    from testbed import api

    testbed = api.up(_version(given), _print_progress)
    print(f"Istio {testbed.istio_version} is ready; KUBECONFIG={testbed.kubeconfig}")
    return common.OK


def down() -> int:
    """Stop the embedded cluster; only its built parts stay."""
    from testbed import api

    print("the testbed is down" if api.down() else "no testbed was up")
    return common.OK


def status() -> int:
    """Print whether the embedded cluster runs; exit 1 when it does not."""
    from testbed import api

    found = api.status()
    print(found.state)
    for name, value in found.detail.items():
        print(f"  {name}: {value}")
    return common.OK if found.state == "up" else common.FAILED


def logs(component: Component = None) -> int:
    """Print the logs of the embedded cluster's parts."""
    from testbed import api

    for line in api.logs(component):
        print(line.rstrip("\n"))
    return common.OK


@common.takes("istio")
def build(*, given: common.Given) -> int:
    """Build the parts of the embedded cluster without starting it."""
    from testbed import api

    api.build(_version(given), _print_progress)
    return common.OK


def export(file: File) -> int:
    """Put the built parts into a file, for a machine without network."""
    from testbed import api

    api.export(file.resolve())
    return common.OK


def import_(file: File) -> int:
    """Take the built parts out of a file that `testbed export` wrote."""
    from testbed import api

    api.import_(file.resolve())
    return common.OK


def _version(given: common.Given) -> str | None:
    return settings.load(given).istio or None


def _print_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
