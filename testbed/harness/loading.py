"""Loads an image archive into clusters of our own, as a registry would serve it to others."""

from __future__ import annotations

from pathlib import Path

from clients.model.errors import ClusterError
from testbed.lifecycle import Testbed
from testbed.profiles import manager, table
from testbed.progress import Say, step


def load(archive: Path, profile: str | None, say: Say) -> None:
    """Load it into every node.

    Args:
        archive: OCI archive.
        profile: name of a proving cluster; None for the embedded cluster.

    Raises:
        SettingsError: there is no such profile.
        ClusterError: the cluster is not up, or a node refuses the archive.
    """
    if profile is None:
        testbed = Testbed()
        if testbed.running() is None:
            raise ClusterError("the embedded cluster is down", "start it by `./meshproof up`")
        with step(say, "loading the image into the embedded cluster"):
            testbed.load(archive)
        return
    found = table.of(profile)
    if manager.running(found) is None:
        raise ClusterError(f"the profile {profile} is down", f"start it by `./meshproof up --profile {profile}`")
    with step(say, f"loading the image into {profile}"):
        found.load(manager.folder_of(profile), archive)
