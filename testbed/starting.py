"""The start of an embedded cluster from its installed state, to the point where pods get a sidecar."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.model.errors import ClusterError
from testbed import apiserver
from testbed.addresses import choose_link, routed
from testbed.amendment import Amended, Amendment
from testbed.apiserver import ApiServer
from testbed.configuration import Configuration
from testbed.form import Form
from testbed.lock import held
from testbed.node import FURTHER_SERVICES, SERVICES, Node, NodePrograms
from testbed.parts import Parts
from testbed.progress import Say

EXTERNAL_LOG = "external.log"
"""Log of requests to the external hosts, in the first node's log folder: one JSON object per line."""
ADDRESSES_LOCK = Path("/run/meshproof-addresses.lock")
"""Held while a cluster chooses its addresses and until its link has them, machine-wide."""
PATIENCE_S = 180.0
"""Longest wait for one part of a start, in seconds: a machine that is busy with builds needs more than an idle one."""
_BALANCER_ROUTES = ("balancer-routes",)
"""Services of the first node of several."""
_DATABASES = (
    "io.containerd.snapshotter.v1.overlayfs/metadata.db",
    "io.containerd.metadata.v1.bolt/meta.db",
)
"""The only files of containerd's store that change in place; all others are written once."""


@dataclass(frozen=True)
class Start:
    """One start.

    Attributes:
        nodes: one for each of the form's nodes, in their order.
        installed: folder of the installed state.
        note: takes the detail of the progress that is shown.
    """

    form: Form
    nodes: Sequence[Node]
    parts: Parts
    programs: NodePrograms
    installed: Path
    note: Say

    @property
    def _amendment(self) -> Amendment:
        return self.form.amendment or Amendment()

    def run(self) -> Path:
        """Start everything; returns the administrator's kubeconfig.

        Raises:
            ClusterError: a part did not start; what did start still runs.
        """
        first, note = self.nodes[0], self.note
        for node in self.nodes:
            node.prepare()
        _copy_state(self.installed, first, etcd=True)
        kubeconfig = first.state / "kubeconfig"
        kubeconfig.touch(mode=0o600)
        configuration = self._start_first(kubeconfig)
        api = ApiServer(kubeconfig, self.programs.kubernetes / "kubectl", first.state / "work", first.gone)
        cluster = Amended(api, first, self.parts, configuration, self.installed, note)
        note("API server")
        api.wait("the API server", apiserver.ready, PATIENCE_S)
        authority = configuration.authority.pair.certificate
        api.wait("the cluster's authority", apiserver.publish_authority(authority), PATIENCE_S)
        self._amendment.apply(cluster)
        first.api_is_ready()
        self._start_further(configuration)
        note("nodes")
        api.wait("the nodes", apiserver.nodes_ready(len(self.nodes)), PATIENCE_S)
        note("external hosts")
        log = first.folder("log") / EXTERNAL_LOG
        api.wait(
            "the external hosts",
            lambda _session, _server: None if log.exists() else "see external-server.log",
            PATIENCE_S,
        )
        note("istiod and CoreDNS")
        api.wait("istiod and CoreDNS", apiserver.deployments_available(self._amendment.core(self.parts)), PATIENCE_S)
        note("sidecar injection")
        api.wait("sidecar injection", apiserver.injects(self._amendment.injected), PATIENCE_S)
        self._amendment.finish(cluster)
        return kubeconfig

    def _start_first(self, kubeconfig: Path) -> Configuration:
        """Start the first node, with addresses that no other cluster on this machine has."""
        first, form = self.nodes[0], self.form
        routes = _BALANCER_ROUTES if form.routed else ()
        services = (*SERVICES, *routes, *self._amendment.services)
        with held(ADDRESSES_LOCK, "start", lambda _line: None):
            link = choose_link(routed())
            configuration = Configuration(link, self.parts.image_names(), services, form)
            configuration.write_first(first.folder("etc"))
            self._amendment.configure(first.folder("etc"), self.parts, configuration)
            kubeconfig.write_text(configuration.administrator())
            first.start(self.programs, link, "uplink" if form.routed else "eth0")
        return configuration

    def _start_further(self, configuration: Configuration) -> None:
        first = self.nodes[0]
        for number, node in enumerate(self.nodes[1:], 1):
            _copy_state(self.installed, node, etcd=False)
            configuration.write_further(node.folder("etc"), number, FURTHER_SERVICES)
            node.start_behind(self.programs, first, f"port{number}")
            node.api_is_ready()


def _copy_state(installed: Path, node: Node, *, etcd: bool) -> None:
    """Copy the installed state for this node: unpacked images as hard links, databases as copies."""
    if etcd:
        node.folder("etcd").rmdir()
        _copy("--sparse=always", installed / "etcd", node.folder("etcd"))
    node.folder("containerd").rmdir()
    _copy("--link", installed / "containerd", node.folder("containerd"))
    for name in _DATABASES:
        own = node.folder("containerd") / name
        own.unlink()
        shutil.copy2(installed / "containerd" / name, own)


def _copy(option: str, source: Path, target: Path) -> None:
    result = subprocess.run(["cp", "--archive", option, str(source), str(target)], capture_output=True, text=True)
    if result.returncode:
        raise ClusterError(f"copying {source.name} failed: {result.stderr.strip()[-200:]}", "see './meshproof doctor'")
