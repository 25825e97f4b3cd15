"""The cluster of an upgrade between two versions: the profile `canary`, started if it is not up, and ended then."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from clients.model.errors import SettingsError

PROFILE = "canary"
_CONFIG = "MESHPROOF_CONFIG"
Names = tuple[str, str] | None


@contextmanager
def given(
    start: str, end: str, options: Mapping[str, Any], say: Callable[[str], None]
) -> Iterator[tuple[dict[str, Any], Names]]:
    """The options that name the cluster, and the revisions of both versions; none where no version is named.

    Raises:
        SettingsError: only one is named, they are the same, the testbed does not have them next to each other, or
            another cluster is named too.
        ClusterError: the profile does not start.
    """
    if not (start or end):
        yield dict(options), None
        return
    if any(options.get(name) for name in ("target", "context", "kubeconfig")):
        raise SettingsError(
            "--from and --to are of the embedded cluster", "on any other: --from-revision, --to-revision"
        )
    from testbed.profiles import canary, manager  # loaded only here: other clusters do not need it
    from testbed.versions import istio_release

    old, new = istio_release(start), istio_release(end)
    if not (start and end) or old == new:
        raise SettingsError("--from and --to must be two versions", "for instance --from 1.29 --to 1.31")
    if old.minor > new.minor:
        raise SettingsError(f"{new.version} is older than {old.version}", "the way back is a phase of every upgrade")
    if canary.other(new) != old:
        hint = f"with --to {new.minor} it is --from {canary.other(new).minor}"
        raise SettingsError(f"the profile {PROFILE} does not have {old.version} next to {new.version}", hint)
    ran = manager.status(PROFILE).state == "up"
    up = manager.up(PROFILE, new.minor, say)
    before = os.environ.get(_CONFIG)
    os.environ[_CONFIG] = up.settings
    try:
        names = canary.revision(old, canary.STABLE), canary.revision(new, canary.NEXT)
        yield {**options, "context": up.context, "kubeconfig": up.kubeconfig, "allow_mesh_wide": True}, names
    finally:
        os.environ.pop(_CONFIG) if before is None else os.environ.update({_CONFIG: before})
        if not ran:
            manager.down(PROFILE, say)
