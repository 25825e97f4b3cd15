"""`meshproof images`: the images that a run needs, for mirroring and for pinning them by digest."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
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

_HUB = "docker.io"
"""The registry of references that name none (github.com/distribution/reference)."""


@dataclass(frozen=True)
class WorkloadImage:
    """One image of a run.

    Attributes:
        name: as manifests have it, and as the setting `images.<name>` has it.
        source: where it is published.
        reference: what a run uses.
        digest: `sha256:…`, of the nodes that have it; empty where they differ, no node has it, or none was asked.
    """

    name: str
    source: str
    reference: str
    digest: str = ""

    @property
    def pinned(self) -> str:
        """The reference by digest, without a tag; the reference itself where the digest is not known."""
        return f"{_repository(self.reference)}@{self.digest}" if self.digest else self.reference


@common.takes(*common.CLUSTER, "image_prefix")
def images(
    digests: Annotated[
        bool, typer.Option("--digests", help="Ask the nodes of the cluster for the digests of what they have.")
    ] = False,
    toml: Annotated[
        bool, typer.Option("--toml", help=r"Print settings (\[images]), by digest where it is known.")
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
    """The same with the digests that nodes report for their images (`status.images`).

    One image may be known by several registries, each with a digest of its own. Where nodes have different ones for the
    same tag, as they pulled it at different times or for other architectures, none of them is right for all.
    """
    known: defaultdict[str, set[str]] = defaultdict(set)
    for node in nodes:
        for image in node.get("status", {}).get("images") or ():
            names = [_whole(name) for name in image.get("names") or () if "<none>" not in name]
            of = {_repository(name): name.partition("@")[2] for name in reversed(names) if "@" in name}
            for name in names:
                known[name] |= {of[_repository(name)]} if "@" not in name and _repository(name) in of else set()
    found = ((one, known[_whole(one.reference)]) for one in listed)
    return [replace(one, digest=min(digests) if len(digests) == 1 else "") for one, digests in found]


def _repository(reference: str) -> str:
    """The reference without its tag and its digest: `localhost:5000/curl` of `localhost:5000/curl:8@sha256:…`."""
    head, slash, last = reference.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _whole(reference: str) -> str:
    """The reference with what containerd adds: `curl` is `docker.io/library/curl:latest`."""
    repository = _repository(reference)
    first, slash, rest = repository.partition("/")
    if not (slash and ("." in first or ":" in first or first == "localhost")):
        first, rest = _HUB, repository
    if first in (_HUB, f"index.{_HUB}"):
        first, rest = _HUB, rest if "/" in rest else f"library/{rest}"
    return f"{first}/{rest}{reference.removeprefix(repository) or ':latest'}"


def _nodes(target: Target) -> list[dict[str, Any]]:
    there = reach(target, print)
    cluster = there.connect()
    try:
        return cluster.objects("v1", "Node")
    finally:
        cluster.close()
