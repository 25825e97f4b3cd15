"""Puts a process's world together from what the controlling process handed over."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.cluster import Cluster
from clients.overlay import Overlay, namespaces_in
from clients.tokens import TokenIssuer
from clients.world import World
from runner.handover import Handover
from runner.settings import ROOT, Settings

MANIFESTS = ROOT / "manifests"
Touch = Callable[[list[dict[str, Any]]], None]


@dataclass(frozen=True)
class TouchedOverlay(Overlay):
    """An overlay that shows every list of objects to `touch`, which may change it, before anyone uses it."""

    touch: Touch = lambda _: None

    def objects(self, text: str, source: str) -> list[dict[str, Any]]:
        """The objects of a manifest, touched."""
        objects = super().objects(text, source)
        self.touch(objects)
        return objects


def overlay(handover: Handover, run: str, worker: str, touch: Touch, tokens: TokenIssuer) -> TouchedOverlay:
    """The overlay of one worker of one run: its namespaces begin with `mp-<run's suffix>-<worker>-`."""
    jwks = tokens.jwks_json()
    return TouchedOverlay(
        prefix=f"mp-{run.rsplit('-', 1)[-1]}-{worker.removeprefix('g')}-",
        run=run,
        worker=worker,
        images=handover.images,
        revision=handover.revision,
        values={"jwks": jwks, "jwks_base64": base64.urlsafe_b64encode(jwks.encode()).decode(), "issuer": tokens.issuer},
        namespaces=namespaces_in(manifest_texts()),
        touch=touch,
    )


def manifest_texts(folder: Path = MANIFESTS) -> list[tuple[str, str]]:
    """(path relative to the folder, text) of every manifest."""
    paths = sorted(folder.rglob("*.yaml"))
    return [(path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def world(cluster: Cluster, handover: Handover, settings: Settings, run: str, worker: str, touch: Touch) -> World:
    """The world of this process."""
    tokens = TokenIssuer.load(Path(handover.tokens))
    return World(cluster, overlay(handover, run, worker, touch, tokens), tokens, MANIFESTS, patience=settings.patience)
