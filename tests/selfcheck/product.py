"""Runs of the product for a figure: each in a folder of its own, and the cluster clean again afterwards."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clients.kube.cleanup import cleanup, find
from clients.kube.cluster import Cluster
from testbed import api
from tests.e2e.e2e_runs import Ran, conform
from tests.mutants import identity
from tests.mutants.entry import Entry


@contextmanager
def testbed() -> Iterator[api.Up]:
    """The embedded cluster; stopped afterwards only if it did not run before."""
    ran = api.status().state == "up"
    yield api.up(None, say)
    if not ran:
        api.down(say)


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="meshproof-selfcheck-") as made:
        yield Path(made)


def spoilt(entry: Entry, folder: Path, up: api.Up, words: tuple[str, ...] = ()) -> Ran:
    """The run of a mutant, with the controls of its verdicts.

    Raises:
        AssertionError: it did not end.
    """
    if not entry.restricted:
        return conform(folder, *entry.options, *words, suite=entry.place.suite)
    images = {f"MESHPROOF_IMAGES__{name.upper()}": image for name, image in up.images.items()}
    cluster = Cluster.connect(up.kubeconfig)
    try:
        with identity.restricted(cluster, folder) as kubeconfig:
            where = ("--kubeconfig", str(kubeconfig))
            return conform(folder, *entry.options, *words, *where, environment=images, suite=entry.place.suite)
    finally:
        cluster.close()


def sweep(up: api.Up) -> list[str]:
    """Remove what a run has left; returns what it was."""
    cluster = Cluster.connect(up.kubeconfig)
    try:
        left = [str(one) for one in find(cluster)]
        if left:
            cleanup(cluster)
        return left
    finally:
        cluster.close()
