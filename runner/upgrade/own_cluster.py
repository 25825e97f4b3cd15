"""The cluster of an upgrade between two versions: the profile `canary`, started if it is not up, and ended then."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clients.model.errors import ClusterError, SettingsError

if TYPE_CHECKING:
    from testbed.versions import IstioRelease

PROFILE = "canary"
_CONFIG = "MESHPROOF_CONFIG"


@dataclass(frozen=True)
class GivenCluster:
    """The cluster of an upgrade.

    Attributes:
        options: that name it.
        names: the revisions of both versions; none on a cluster of others.
        left: what a rehearsal does not carry over, each with the reason.
    """

    options: dict[str, Any]
    names: tuple[str, str] | None = None
    left: tuple[str, ...] = ()


def revisions(start: str, end: str) -> tuple[str, str] | None:
    """Names of the revisions of both versions on the embedded cluster; None where no version is named.

    Raises:
        SettingsError: as `given`.
    """
    if not (start or end):
        return None
    from testbed.profiles import canary  # loaded only here: other clusters do not need it

    old, new = _releases(start, end)
    return canary.revision(old, canary.STABLE), canary.revision(new, canary.NEXT)


def version(stated: str) -> str:
    """The whole version that the embedded cluster has for `1.29`.

    Raises:
        SettingsError: it has none.
    """
    from testbed.versions import istio_release  # loaded only here: other clusters do not need it

    return istio_release(stated).version


def identity(like: Path) -> str:
    """Of the mesh in a file of `meshproof like`.

    Raises:
        SettingsError: it is none.
    """
    from testbed.like import load  # loaded only here: other clusters do not need it

    return load(like).identity


@contextmanager
def given(
    start: str, end: str, options: Mapping[str, Any], say: Callable[[str], None], like: Path | None = None
) -> Iterator[GivenCluster]:
    """The cluster that the options name, or the profile for these versions.

    Args:
        like: file of `meshproof like`, whose mesh both versions get.

    Raises:
        SettingsError: only one version is named, they are the same, the testbed does not have them next to each other,
            another cluster is named too, or the file is none of `meshproof like`.
        ClusterError: the profile does not start, or is up with another mesh.
    """
    if not (start or end):
        yield GivenCluster(dict(options))
        return
    if any(options.get(name) for name in ("target", "context", "kubeconfig")):
        raise SettingsError(
            "--from and --to are of the embedded cluster", "on any other: --from-revision, --to-revision"
        )
    from runner.target.in_use import user_of
    from runner.upgrade import rehearsal  # all loaded only here: other clusters do not need it
    from testbed.like import load
    from testbed.profiles import canary, manager

    old, new = _releases(start, end)
    carried = load(like) if like else None
    ran = manager.status(PROFILE).state == "up"
    if ran and carried:
        hint = f"`./meshproof down --profile {PROFILE}` first: a rehearsal changes its mesh"
        raise ClusterError(f"the profile {PROFILE} is up with another mesh", hint)
    up = manager.up(PROFILE, new.minor, say, user_of)
    before = os.environ.get(_CONFIG)
    os.environ[_CONFIG] = up.settings
    try:
        names = canary.revision(old, canary.STABLE), canary.revision(new, canary.NEXT)
        left = rehearsal.carry(Path(up.administrator), carried, names) if carried else ()
        own = {"context": up.context, "kubeconfig": up.kubeconfig, "allow_mesh_wide": True}
        yield GivenCluster({**options, **own}, names, left)
    finally:
        os.environ.pop(_CONFIG) if before is None else os.environ.update({_CONFIG: before})
        if not ran:
            manager.down(PROFILE, say)


def _releases(start: str, end: str) -> tuple[IstioRelease, IstioRelease]:
    """Both versions.

    Raises:
        SettingsError: one is missing or unknown, they are the same or in the wrong order, or the profile does not have
            them next to each other.
    """
    from testbed.profiles import canary  # loaded only here: other clusters do not need it
    from testbed.versions import istio_release

    old, new = istio_release(start), istio_release(end)
    if not (start and end) or old == new:
        raise SettingsError("--from and --to must be two versions", "for instance --from 1.29 --to 1.31")
    if old.minor > new.minor:
        raise SettingsError(f"{new.version} is older than {old.version}", "the way back is a phase of every upgrade")
    if canary.other(new) != old:
        hint = f"with --to {new.minor} it is --from {canary.other(new).minor}"
        raise SettingsError(f"the profile {PROFILE} does not have {old.version} next to {new.version}", hint)
    return old, new
