"""Profiles that are a form of the embedded cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from testbed import reached
from testbed.form import Form
from testbed.lifecycle import RunningTestbed, Testbed
from testbed.profiles.profile import Profile, ProfileHosts, StartedCluster
from testbed.progress import Say
from testbed.versions import IstioRelease


class EmbeddedProfile(Profile):
    """See `Profile`. A subclass states the form.

    Attributes:
        form: what it changes of the embedded cluster.
        settings: further settings of a run, by their dotted names.
    """

    form: ClassVar[Form]
    settings: ClassVar[Mapping[str, str | int | bool]] = {}

    def _testbed(self, folder: Path) -> Testbed:
        return Testbed(folder / "cluster", self.form, self.needs)

    def built(self, release: IstioRelease) -> bool:
        """Whether the installed state and everything of the form are built."""
        return self._testbed(Path("unused")).built(release)

    def build(self, release: IstioRelease, say: Say) -> None:
        """Nothing: the start builds what is missing."""

    def start(self, folder: Path, release: IstioRelease, say: Say) -> StartedCluster:
        """Build what is missing and start it."""
        testbed = self._testbed(folder)
        running = testbed.up(release, say, default=False)
        kubeconfig = Path(running.kubeconfig)
        kubectl = testbed.programs(release).kubernetes / "kubectl"
        images = self._images(running)
        istioctl = Path(running.istioctl)
        external = self._external(testbed)
        return StartedCluster(
            kubeconfig, kubectl, running.kubernetes, running.istio, images, istioctl, external, self.settings
        )

    def stop(self, folder: Path) -> None:
        """End its nodes."""
        self._testbed(folder).down(lambda _line: None)

    def processes(self, folder: Path) -> set[int]:
        """Those of all of its nodes."""
        return self._testbed(folder).processes()

    def changed(self, folder: Path) -> tuple[str, ...]:
        """As of the embedded cluster."""
        return self._testbed(folder).changed()

    def load(self, folder: Path, archive: Path) -> None:
        """Into each of its nodes."""
        self._testbed(folder).load(archive)

    def logs(self, folder: Path) -> Path:
        """The folder of the first node's logs."""
        return self._testbed(folder).node.folder("log")

    def _images(self, running: RunningTestbed) -> dict[str, str]:
        """Logical names → references."""
        return reached.images(running)

    def _external(self, testbed: Testbed) -> ProfileHosts | None:
        found = reached.external(testbed)
        if found is None:
            return None
        hosts = found.hosts | {f"open.{name}": address for name, address in found.open_hosts.items()}
        return ProfileHosts(hosts, found.roots, found.log, found.google_apis, found.metadata_server, found.more)
