"""The interface of a profile: what it needs built, how it is started, how it is reached, what it declares of itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from testbed import preflight
from testbed.preflight import USUAL, Needs, Requirement
from testbed.progress import Say
from testbed.versions import IstioRelease


@dataclass(frozen=True)
class ProfileHosts:
    """The external hosts that a profile's cluster reaches; the table `[external]` of a run's settings.

    Attributes:
        hosts: name → address; `open.NAME` is another address of NAME, which the network lets every pod reach.
        roots: PEM file of the authority that signed the hosts' certificates.
        log: the hosts' own log: one JSON object per line.
        google_apis, metadata_server: CIDRs that replace Google's.
        more: name → its further addresses.
    """

    hosts: Mapping[str, str]
    roots: Path
    log: Path
    google_apis: str
    metadata_server: str
    more: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class StartedCluster:
    """What the start of a profile returns.

    Attributes:
        kubeconfig: with an administrator's rights; the framework makes the one that a run uses of it.
        kubectl: a program that can talk to the cluster.
        kubernetes, istio: versions.
        images: logical name of an image → reference that the nodes have or can pull; missing ones are the public ones.
        istioctl: the program; None where there is none.
        external: None where the cluster reaches no external host.
        settings: further settings of a run, by their dotted names (`egress.blocked`).
        context: name of the context that a run uses; empty for the profile's name.
    """

    kubeconfig: Path
    kubectl: Path
    kubernetes: str
    istio: str
    images: Mapping[str, str] = field(default_factory=dict)
    istioctl: Path | None = None
    external: ProfileHosts | None = None
    settings: Mapping[str, str | int | bool] = field(default_factory=dict)
    context: str = ""


class Profile(Protocol):
    """One proving cluster.

    The framework (`testbed.profiles.manager`) holds the lock, checks the machine, ends what a failed start left,
    and keeps the state; a profile does not care for any of that. `folder` is its own, and persists between the calls.

    Attributes:
        name: as `--profile` takes it, and the context's name.
        summary: what it is, in a few words, for help and status.
        stands_for: whose cluster it represents.
        traits: what is special about it, for people: one item each.
        needs: what it takes of the machine.
        warm_s: longest time in seconds of a start when everything is built.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    stands_for: ClassVar[str]
    traits: ClassVar[tuple[str, ...]]
    needs: ClassVar[Needs] = USUAL
    warm_s: ClassVar[int] = 60

    @abstractmethod
    def built(self, release: IstioRelease) -> bool:
        """Whether a start would build nothing."""

    @abstractmethod
    def build(self, release: IstioRelease, say: Say) -> None:
        """Build what is missing. Parts are kept in the common store, under names made of their content.

        Raises:
            ClusterError, BuildError: the machine cannot build it, or a part could not be built.
        """

    @abstractmethod
    def start(self, folder: Path, release: IstioRelease, say: Say) -> StartedCluster:
        """Start the cluster in its folder, up to the point where pods get a sidecar.

        Raises:
            ClusterError: a part did not start; the framework calls `stop` then.
        """

    @abstractmethod
    def stop(self, folder: Path) -> None:
        """End every process, mount and interface; does nothing where there is none. Only logs may stay."""

    @abstractmethod
    def processes(self, folder: Path) -> set[int]:
        """Ids of its processes that run now, as this machine numbers them."""

    def changed(self, folder: Path) -> tuple[str, ...]:
        """Names of what the running cluster was started from and this checkout has otherwise."""
        del folder
        return ()

    @abstractmethod
    def load(self, folder: Path, archive: Path) -> None:
        """Load an OCI archive into every node of the running cluster.

        Raises:
            ClusterError: a node does not run, or refuses the archive.
        """

    def logs(self, folder: Path) -> Path:
        """The folder of its logs, `*.log`."""
        return folder / "log"

    def requirements(self, release: IstioRelease) -> list[Requirement]:
        """What it needs of the machine, and whether that is met; asked before anything is built."""
        return preflight.checks(built=self.built(release), needs=self.needs)
