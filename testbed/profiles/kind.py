"""The profiles `kind` and `kind-full`: three nodes by the real program kind, with podman and kubeadm."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from clients.model.errors import ClusterError
from testbed import api, golden, internet, lanes
from testbed.addresses import choose_link, routed
from testbed.lock import held
from testbed.parts import Parts
from testbed.preflight import Needs, Requirement
from testbed.profiles.kindcluster import requirements, settings_files
from testbed.profiles.kindcluster.creation import KIND_ENV, Creation
from testbed.profiles.kindcluster.machine import Machine, MachinePrograms
from testbed.profiles.kindcluster.parts import KindParts
from testbed.profiles.profile import Profile, ProfileHosts, StartedCluster
from testbed.progress import Say, step
from testbed.store import cache_root
from testbed.versions import KUBERNETES, IstioRelease

_BOTH = (
    "the program `kind` with podman, in private namespaces: a control plane and two workers, by kubeadm; the node "
    "image is built here of Debian's packages, as no image registry is reached",
    "this machine reaches the API server and the nodes as it would those of a kind cluster of its own; the cluster "
    "reaches nothing but itself",
)


class KindProfile(Profile):
    """See `Profile`.

    Attributes:
        full: Calico on all nodes, a gateway node, external hosts, the Gateway API, access logs; otherwise nothing is
            switched on that `kind create cluster` and `istioctl install` do not switch on.
    """

    name = "kind"
    summary = "three nodes by the program kind, Istio's defaults"
    stands_for = "kind, clusters by kubeadm, and a mesh by `istioctl install` with nothing else switched on"
    traits: ClassVar[tuple[str, ...]] = (
        *_BOTH,
        "Istio's profile `default`; no access log, no load balancer, no external hosts, no Gateway API, and a network "
        "that enforces no NetworkPolicy",
    )
    needs: ClassVar[Needs] = Needs(memory_gib=6, inotify_instances=384)
    warm_s = 180
    full: ClassVar[bool] = False

    def machine(self, folder: Path) -> Machine:
        """The machine on which kind runs."""
        return Machine(folder / "machine")

    def built(self, release: IstioRelease) -> bool:
        """Whether all of its parts are in the store."""
        parts = Parts(release, lambda _line: None)
        return parts.store.has(golden.part(parts)) and all(parts.store.has(part) for part in KindParts(parts).all())

    def requirements(self, release: IstioRelease) -> list[Requirement]:
        """Also podman, kind, room for three nodes' images, and address ranges."""
        parts = Parts(release, lambda _line: None)
        go = parts.toolchain()
        toolchain = parts.store.path(go) / "go" if parts.store.has(go) else None
        return [*super().requirements(release), *requirements.checks(built=self.built(release), toolchain=toolchain)]

    def build(self, release: IstioRelease, say: Say) -> None:
        """The testbed's own parts, the installed state (for its manifests), then those of kind."""
        if self.built(release):
            return
        parts = Parts(release, say)
        with held(cache_root() / "testbed" / "lock", f"build for {self.name}", say):
            kind = requirements.served(parts.get(parts.toolchain()) / "go")
            if not kind.ok:
                raise ClusterError(f"the profile {self.name} cannot be built: {kind.detail}", kind.hint)
            lanes.build_programs(parts)
            parts.get(golden.part(parts))
            for part in KindParts(parts).all():
                parts.get(part)

    def start(self, folder: Path, release: IstioRelease, say: Say) -> StartedCluster:
        """Create the cluster, and install the mesh by istioctl."""
        parts, machine = Parts(release, say), self.machine(folder)
        kind, root, store = (parts.get(part) for part in KindParts(parts).all())
        programs = MachinePrograms(root / "root", kind, store / "store", parts.get(parts.program("external")))
        with step(say, f"starting {self.name}: Kubernetes {KUBERNETES}, Istio {release.version}") as current:
            machine.prepare()
            link = choose_link(routed())
            settings_files.write_machine(machine.folder("etc"), link, full=self.full)
            machine.start(programs, link)
            creation = Creation(machine, parts, link, current.note, full=self.full)
            creation.all()
        images = {name: parts.image_names().of(image) for name, image in api.IMAGES.items()}
        return StartedCluster(
            creation.kubeconfig,
            creation.api.kubectl,
            KUBERNETES,
            release.version,
            images,
            parts.get(parts.program(release.module)) / "istioctl",
            self._external(machine) if self.full else None,
            {"egress.blocked": True} if self.full else {},
            # not `kind-…`: such a context means a cluster that a program kind on this machine knows
            f"meshproof-{self.name}",
        )

    @staticmethod
    def _external(machine: Machine) -> ProfileHosts:
        hosts = {host.name: host.addresses[0] for host in internet.HOSTS}
        hosts |= {f"open.{host.name}": host.open_addresses[0] for host in internet.HOSTS if host.open_addresses}
        more = {host.name: list(host.addresses[1:]) for host in internet.HOSTS if host.addresses[1:]}
        roots, log = machine.folder("etc") / "external" / "roots.pem", machine.folder("log") / "external.log"
        return ProfileHosts(hosts, roots, log, str(internet.GOOGLE_APIS), str(internet.METADATA_SERVER), more)

    def stop(self, folder: Path) -> None:
        """End the machine, and with it every node."""
        self.machine(folder).stop()

    def processes(self, folder: Path) -> set[int]:
        """Those of the machine and of all nodes."""
        return self.machine(folder).cgroups.processes()

    def load(self, folder: Path, archive: Path) -> None:
        """By `kind load image-archive`, as a user does it."""
        machine = self.machine(folder)
        there = machine.folder("etc") / "load.tar"
        try:
            shutil.copyfile(archive, there)
            words = ("kind", "load", "image-archive", "/etc/meshproof/load.tar", "--name", settings_files.CLUSTER)
            machine.run(*words, timeout_s=600, env=KIND_ENV)
        finally:
            there.unlink(missing_ok=True)

    def logs(self, folder: Path) -> Path:
        """The folder of the machine's logs."""
        return self.machine(folder).folder("log")


class KindFullProfile(KindProfile):
    """See `KindProfile`."""

    name = "kind-full"
    summary = "the same with Calico, a gateway node, external hosts and the Gateway API"
    stands_for = "kind and kubeadm where everything is there that a control may need"
    traits: ClassVar[tuple[str, ...]] = (
        *_BOTH,
        "Calico on all nodes; the Gateway API; access logs; keys of issuers asked for every second; the provider that "
        "external authorization needs",
        "`meshproof-worker2` is a gateway node: label, taint, and a firewall that lets only its pods reach the blocked "
        "external hosts",
        "no load balancer",
    )
    full = True
