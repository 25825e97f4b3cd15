"""Runs of the product for a figure: each in a folder of its own, and the cluster clean again afterwards."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from clients.kube.cleanup import cleanup, find
from clients.kube.cluster import Cluster
from clients.model.errors import ClusterError, ConflictError
from reports.record import packed
from reports.record.journal import FILE, read
from runner.commands.cleanup import refuse_while_in_use
from runner.target.in_use import user_of
from testbed import api
from testbed.store import digest
from tests.e2e.e2e_runs import PYTEST, EndedRun, conform, start
from tests.mutants.entry import Entry
from tests.mutants.kept import REFUSAL
from tests.mutants.mutant import POLICY_KINDS
from tests.mutants.workloads import identity

PATIENCE_S = 120.0


@contextmanager
def testbed() -> Iterator[api.Up]:
    """The embedded cluster; stopped afterwards only if it did not run before."""
    ran = api.status().state == "up"
    yield api.up(None, say, in_use=user_of)
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


def spoilt(entry: Entry, folder: Path, up: api.Up, words: tuple[str, ...] = ()) -> EndedRun:
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


class Environment:
    """The environment of one place, which several mutants use one after the other; it is removed when this is left."""

    def __init__(self, up: api.Up) -> None:
        self._up = up

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        sweep(self._up)

    def run(self, entry: Entry, folder: Path) -> dict[str, dict[str, str]]:
        """The cases of a mutant's run, by id.

        No case where the run could not begin, or where the mutant changes the environment itself.

        Raises:
            AssertionError: the run did not end.
        """
        run = folder / f"20260101-000000-{digest([repr(entry.place)])[:4]}"
        run.mkdir()
        start(folder, *PYTEST, entry.place.suite, *entry.options, "--kept", f"--meshproof-run={run}").end()
        journal = run / FILE
        found = {evidence.id: evidence for _, evidence in read(journal).cases} if packed.exists(journal) else {}
        if any(REFUSAL in evidence.reason for evidence in found.values()):
            return {}
        return {name: {"verdict": str(one.verdict), "reason": one.reason} for name, one in found.items()}

    def left(self) -> list[str]:
        """What the last run has left besides the environment; all is removed then, and the next run makes it again."""
        cluster = Cluster.connect(self._up.kubeconfig)
        try:
            there = frozenset(str(one) for one in find(cluster) if one.kind in _OF_STAGES)
        finally:
            cluster.close()
        if there:
            sweep(self._up)
        return sorted(there)


_OF_STAGES = POLICY_KINDS | {"EnvoyFilter", "NetworkPolicy", "Sidecar"}
"""Kinds that no environment has."""


def sweep(up: api.Up, patience_s: float = PATIENCE_S) -> list[str]:
    """Remove what a run has left; returns what it was. An API server that is starting again is waited for.

    So is the end of a run that is not of this selfcheck: its objects, and its lease, are not removed.

    Raises:
        ClusterError: the API server has not answered for `patience_s` seconds.
        ConflictError: another run has held the cluster for as long.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return _swept(up)
        except (ClusterError, ConflictError):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _swept(up: api.Up) -> list[str]:
    cluster = Cluster.connect(up.kubeconfig)
    try:
        left = [str(one) for one in find(cluster)]
        if left:
            refuse_while_in_use(cluster)
            cleanup(cluster)
        return left
    finally:
        cluster.close()
