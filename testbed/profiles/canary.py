"""The profile `canary`: two versions of Istio next to each other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from testbed import mesh
from testbed.amendment import Amended, Amendment
from testbed.configuration import Configuration
from testbed.form import Form
from testbed.parts import Parts
from testbed.preflight import Needs
from testbed.profiles.embedded import EmbeddedProfile
from testbed.store import Part
from testbed.versions import ISTIO_RELEASES, IstioRelease

_OPERATOR = Path(__file__).parent / "canary_cluster" / "istio.yaml"
_IMAGES = "images-of-the-other.tar"
STABLE, NEXT = "stable", "next"


def other(release: IstioRelease) -> IstioRelease:
    """The version of the tag `stable`, where this one has the tag `next`: the one before it, else the one after."""
    minors = sorted(ISTIO_RELEASES, key=lambda minor: [int(number) for number in minor.split(".")])
    at = minors.index(release.minor)
    return ISTIO_RELEASES[minors[at - 1] if at else minors[min(1, len(minors) - 1)]]


def revision(release: IstioRelease, tag: str) -> str:
    """The revision's name, as Istio's documents form it; with the tag where both are of one version."""
    return f"{release.version.replace('.', '-')}-{tag}"


class TwoRevisions(Amendment):
    """See `Amendment`."""

    injected = {"sidecar.istio.io/inject": "true", "istio.io/rev": NEXT}  # noqa: RUF012 - never changed

    def sides(self, parts: Parts) -> dict[str, Parts]:
        """Tag → the parts of its version."""
        return {STABLE: Parts(other(parts.release), parts.say, parts.store), NEXT: parts}

    def core(self, parts: Parts) -> tuple[tuple[str, str], ...]:
        """Both istiods, and names."""
        revisions = (revision(side.release, tag) for tag, side in self.sides(parts).items())
        return (*(("istio-system", f"istiod-{name}") for name in revisions), ("kube-system", "coredns"))

    def parts(self, parts: Parts) -> list[Part]:
        """The other version's images, and both meshes' manifests."""
        sides = self.sides(parts)
        meshes = [_mesh(side, tag) for tag, side in sides.items()]
        return [sides[STABLE].images(), *meshes] if _differ(sides) else meshes

    def configure(self, folder: Path, parts: Parts, configuration: Configuration) -> None:
        """The images of the other version, where the container runtime can read them."""
        del configuration
        sides = self.sides(parts)
        if _differ(sides):
            os.link(parts.get(sides[STABLE].images()) / "images.tar", folder / _IMAGES)

    def apply(self, cluster: Amended) -> None:
        """Two revisions in place of the default one."""
        cluster.note("the two meshes")
        sides = self.sides(cluster.parts)
        if _differ(sides):
            archive = f"/etc/meshproof/{_IMAGES}"
            cluster.node.run(["ctr", "-n", "k8s.io", "images", "import", archive], timeout_s=300)
        mesh.remove_default(cluster)
        for tag, side in sides.items():
            cluster.api.apply((cluster.parts.get(_mesh(side, tag)) / mesh.FILE).read_text())


def _differ(sides: dict[str, Parts]) -> bool:
    return sides[STABLE].release != sides[NEXT].release


def _mesh(side: Parts, tag: str) -> Part:
    values = {"revision": revision(side.release, tag), "revision_tag": tag}
    return mesh.manifests(side, f"mesh-canary-{tag}", _OPERATOR, values)


class CanaryProfile(EmbeddedProfile):
    """See `Profile`."""

    name = "canary"
    summary = "two versions of Istio next to each other, with tags"
    stands_for = "the days of an upgrade"
    traits = (
        "a revision of each version that the testbed knows; the tag `next` is of the version that `--istio` chooses, "
        "and `stable` of the other",
        "there is no default revision: a run names one by `--revision`; the settings that `up` writes name `next`",
    )
    needs = Needs(memory_gib=5, inotify_instances=96)
    form = Form(name, amendment=TwoRevisions())
    settings: ClassVar[Mapping[str, str | int | bool]] = {"revision": NEXT}
