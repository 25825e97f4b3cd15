"""`meshproof like`: how a cluster's mesh is set, in a file with which the embedded cluster starts. Reads only."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from clients.mesh.upgrade.likeness import read
from clients.model.errors import SettingsError
from clients.model.exit_code import ExitCode
from reports import files
from runner.commands import common
from runner.config import folders, settings
from runner.target import named, targets
from runner.target.target import reach
from testbed import like as carrying
from testbed.store import cache_root

_HEAD = """\
# How a mesh is set, written by `meshproof like`. Start the embedded cluster with it: ./meshproof up --like FILE
# Secrets are redacted. Read it before you hand it on: names of hosts, providers and policies are in it.
"""


@common.takes(*common.CLUSTER, "revision", "root_namespace")
def like(
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write it there; default: standard output.")
    ] = None,
    *,
    given: common.Given,
) -> int:
    """Write MeshConfig, istiod's variables, revisions and root policies of a cluster, for a rehearsal."""
    if output is not None:
        folders.check_file(output, "choose another with --output")
    text = of_cluster(settings.load(given))
    if output is None:
        print(text, end="")
        return ExitCode.OK
    try:
        files.write_text(output, text)
    except OSError as error:
        raise SettingsError(f"cannot write {output}: {error.strerror}") from None
    found = carrying.load(output)
    print(f"{output}: {found.summary}")
    for line in found.left:
        print(f"  not carried over: {line}")
    return ExitCode.OK


def of_cluster(wanted: settings.Settings) -> str:
    """The file's text.

    Raises:
        MeshproofError: the cluster cannot be reached, has no mesh, or it is not clear which revision to use.
    """
    target = targets.of(wanted)
    there = reach(target, lambda line: print(line, file=sys.stderr), hint="name the cluster to read by --context")
    cluster = there.connect()
    try:
        found = read(cluster, named.survey_of(cluster, wanted))
    finally:
        cluster.close()
    return _HEAD + yaml.safe_dump(found.to_json(), sort_keys=False, width=120, allow_unicode=True)


def resolve(stated: str) -> Path:
    """The file that `--like` names, or one that is written from the context which it names.

    Raises:
        MeshproofError: it is no file, and no cluster can be read by a context of this name.
    """
    file = Path(stated).expanduser()
    if file.exists():
        return file
    if "/" in stated or stated.endswith((".yaml", ".yml")):
        raise SettingsError(f"there is no file {stated}", "write it by `meshproof like --context NAME --output FILE`")
    written = cache_root() / "testbed" / "like.yaml"
    files.write_text(written, of_cluster(settings.load({"context": stated})))
    return written
