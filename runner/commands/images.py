"""`meshproof images`: the images that a run needs, for mirroring and for pinning them by digest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from clients.model.errors import SettingsError
from clients.model.exit_code import ExitCode
from runner.commands import common
from runner.config import settings
from runner.target import targets
from runner.target.fitting import mirrored
from runner.target.live import PUBLIC_IMAGES
from runner.target.target import Target, reach


@dataclass(frozen=True)
class WorkloadImage:
    """One image of a run.

    Attributes:
        name: as manifests have it, and as the setting `images.<name>` has it.
        source: where it is published.
        reference: what a run uses.
        digest: `sha256:…`, of the nodes that have it; empty where no node has it, or none was asked.
    """

    name: str
    source: str
    reference: str
    digest: str = ""

    @property
    def pinned(self) -> str:
        """The reference by digest, without a tag; the reference itself where the digest is not known."""
        path = self.reference.split("@", 1)[0]
        head, slash, last = path.rpartition("/")
        return f"{head}{slash}{last.split(':', 1)[0]}@{self.digest}" if self.digest else self.reference


@common.takes(*common.CLUSTER, "image_prefix")
def images(
    digests: Annotated[
        bool, typer.Option("--digests", help="Ask the nodes of the cluster for the digests of what they have.")
    ] = False,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print settings ([images]), by digest where it is known.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    *,
    given: common.Given,
) -> int:
    """List the images that a run needs."""
    if toml and as_json:
        raise SettingsError("--toml and --json are two forms of one output", "give one of them")
    wanted = settings.load(given)
    listed = of_settings(wanted)
    if digests:
        listed = with_digests(listed, _nodes(targets.of(wanted)))
    if as_json:
        print(json.dumps([asdict(one) | {"pinned": one.pinned} for one in listed], indent=1))
    elif toml:
        print("[images]")
        print("\n".join(f'{one.name} = "{one.pinned}"' for one in listed))
    else:
        for one in listed:
            copied = f"  {one.source}" if one.source != one.reference else ""
            print(f"{one.name:24}{one.pinned}{copied}")
    return ExitCode.OK


def of_settings(wanted: settings.Settings) -> list[WorkloadImage]:
    """The images of a cluster that is not the embedded one, by the settings."""
    named = wanted.images.given
    return [
        WorkloadImage(name, named.get(name, public), named.get(name) or mirrored(public, wanted.image_prefix))
        for name, public in PUBLIC_IMAGES.items()
    ]


def with_digests(listed: Sequence[WorkloadImage], nodes: Iterable[dict[str, Any]]) -> list[WorkloadImage]:
    """The same with the digests that nodes report for their images (`status.images`)."""
    known: dict[str, str] = {}
    for node in nodes:
        for image in node.get("status", {}).get("images") or ():
            names = image.get("names") or ()
            digest = next((name.partition("@")[2] for name in names if "@" in name), "")
            known |= {_whole(name): digest for name in names if digest and "@" not in name}
    return [WorkloadImage(one.name, one.source, one.reference, known.get(_whole(one.reference), "")) for one in listed]


def _whole(reference: str) -> str:
    """The reference with the registry that containerd adds: `curl:8` is `docker.io/library/curl:8`."""
    first, slash, _ = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return reference
    return f"docker.io/{reference}" if slash else f"docker.io/library/{reference}"


def _nodes(target: Target) -> list[dict[str, Any]]:
    there = reach(target, print)
    cluster = there.connect()
    try:
        return cluster.objects("v1", "Node")
    finally:
        cluster.close()
