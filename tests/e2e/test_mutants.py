"""Each mutant of the mesh costs the right controls their pass: none that it concerns stays pass, the others do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kills import is_killed, of, spoilt

from clients.kube.cluster import Cluster
from testbed import api
from tests.mutants.entry import Entry
from tests.mutants.registry import of_suite
from tests.mutants.workloads import identity, workloads

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("entry", of(of_suite("suites/lab")))
def test_mutant_is_killed(entry: Entry, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    how = request.getfixturevalue("restricted_identity") if entry.restricted else ((), {})
    ran = spoilt(tmp_path, entry, *how)
    is_killed(ran, entry)
    if ran.cases and not entry.id.startswith("typo-"):  # a typo ends the run before there is anything to look at
        assert any(path.is_relative_to(ran.folder / "diagnostics") for path in ran.files)  # type: ignore[operator]


@pytest.fixture
def restricted_identity(
    cluster: Cluster, testbed: api.Up, tmp_path: Path
) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Options and environment of a run by an identity that may do what it needs, and no more."""
    images = {f"MESHPROOF_IMAGES__{name.upper()}": image for name, image in testbed.images.items()}
    with identity.restricted(cluster, tmp_path) as kubeconfig:
        yield ("--kubeconfig", str(kubeconfig)), images


@pytest.fixture(scope="module", autouse=True)
def istiod_runs(cluster: Cluster) -> Iterator[None]:
    """A killed mutant could leave it stopped."""
    yield
    workloads.repair_istiod()
