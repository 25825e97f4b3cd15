"""From an empty machine to a cluster with a mesh: `kind create cluster`, network, DNS, `istioctl install`."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from clients.model.errors import ClusterError
from testbed import apiserver, golden, internet
from testbed.addresses import Link
from testbed.amendment import INJECTED
from testbed.apiserver import ApiServer
from testbed.parts import Parts
from testbed.profiles.kindcluster import node_image, settings_files
from testbed.profiles.kindcluster.machine import Machine
from testbed.profiles.kindcluster.settings_files import CLUSTER, NODES
from testbed.progress import Say

KIND_ENV = {"KIND_EXPERIMENTAL_PROVIDER": "podman"}
GATEWAY_NODE = f"{CLUSTER}-worker2"
GATEWAY_LABEL = "cloud.google.com/gke-nodepool=gateway"
GATEWAY_TAINT = "dedicated=gateway:NoSchedule"
CREATE_S, INSTALL_S, READY_S = 300, 180, 180


class Creation:
    """What is done to a machine that runs, in this order; see `all`."""

    def __init__(self, machine: Machine, parts: Parts, link: Link, note: Say, *, full: bool) -> None:
        self.machine, self.parts, self.link, self.note, self.full = machine, parts, link, note, full
        self.kubeconfig = machine.state / "kubeconfig"
        kubectl = parts.get(parts.program("kubernetes")) / "kubectl"
        self.api = ApiServer(self.kubeconfig, kubectl, machine.state / "work", machine.gone)

    def all(self) -> None:
        """Create everything.

        Raises:
            ClusterError: a step failed, or took too long.
        """
        self._create()
        self.note("network and names")
        self._network()
        self.note("nodes")
        # `kind create cluster` exits with 0 although no worker has joined
        self.api.wait(f"{NODES} nodes", _all_ready, READY_S)
        if self.full:
            self._gateway_node()
            self._external()
        self.note("CoreDNS")
        self.api.wait("CoreDNS", apiserver.deployments_available([("kube-system", "coredns")]), READY_S)
        self.note("istioctl install")
        self._mesh()
        self.api.wait("istiod", apiserver.deployments_available([("istio-system", "istiod")]), READY_S)
        self.note("sidecar injection")
        self.api.wait("sidecar injection", apiserver.injects(INJECTED), 60)

    def _create(self) -> None:
        network = self.link.balancers
        self.note("podman network")
        options = ["--driver", "bridge", "--subnet", str(network), "--gateway", str(network[1])]
        self.machine.run("podman", "network", "create", *options, "kind")
        self.note("kind create cluster")
        config = ["--config", "/etc/meshproof/cluster.yaml", "--kubeconfig", "/etc/meshproof/kubeconfig"]
        words = ["kind", "create", "cluster", "--image", node_image.tag(), *config, "--wait", "0s", "--verbosity", "1"]
        # kept when it fails, so that its logs can be read before the machine ends with them
        try:
            self.machine.run(*words, "--retain", timeout_s=CREATE_S, env=KIND_ENV)
        except ClusterError as error:
            raise ClusterError(error.message, f"logs of the nodes are in {self.save_logs()}") from None
        made = self.machine.folder("etc") / "kubeconfig"
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(made.read_text())
        made.unlink()

    def save_logs(self) -> Path:
        """Keep the output of the nodes, which ends with the machine; returns the folder."""
        folder = self.machine.folder("log")
        for name in self._nodes():
            for file, words in {
                "container": ("podman", "logs", name),
                "journal": ("podman", "exec", name, "journalctl", "--no-pager", "--boot"),
            }.items():
                result = subprocess.run(
                    self.machine.command(words, {}), capture_output=True, text=True, errors="replace", timeout=60
                )
                (folder / f"{name}-{file}.log").write_text(result.stdout + result.stderr)
        return folder

    def _nodes(self) -> list[str]:
        try:
            return self.machine.run("podman", "ps", "--all", "--format", "{{.Names}}").split()
        except ClusterError:
            return []

    def _manifest(self, name: str) -> str:
        return settings_files.manifest(name, self.parts.image_names(), full=self.full)

    def _network(self) -> None:
        """The form with policies gets its network here; the other one has it from kind itself."""
        if self.full:
            made = self.parts.get(golden.part(self.parts)) / "manifests"
            for name in ("calico-definitions", "gateway-api-definitions"):
                self.api.apply((made / f"{name}.yaml").read_text())
            self.api.wait(
                "Calico's objects", lambda _session, _server: self._try((made / "calico.yaml").read_text()), 60
            )
            self.api.apply(self._manifest("calico-node.yaml"))
        self.api.apply(self._manifest("dns.yaml"))
        self._kubectl("--namespace", "kube-system", "rollout", "restart", "deployment/coredns")

    def _try(self, text: str) -> str | None:
        try:
            self.api.apply(text)
        except ClusterError as error:
            return error.message
        return None

    def _kubectl(self, *words: str) -> str:
        command = [str(self.api.kubectl), "--kubeconfig", str(self.kubeconfig)]
        command += ["--cache-dir", str(self.api.work / "cache"), *words]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if result.returncode:
            raise ClusterError(f"kubectl {' '.join(words[:4])} failed: {result.stderr.strip()[-300:]}")
        return result.stdout

    def _gateway_node(self) -> None:
        self._kubectl("label", "node", GATEWAY_NODE, "--overwrite", GATEWAY_LABEL)
        self._kubectl("taint", "node", GATEWAY_NODE, "--overwrite", GATEWAY_TAINT)

    def _external(self) -> None:
        """The external hosts are on the machine itself; pods reach them through their node."""
        self.note("external hosts")
        session, server = self.api.session()
        allowed = ""
        for node in session.get(f"{server}/api/v1/nodes", timeout=10).json()["items"]:
            pods, address = node["spec"]["podCIDR"], _address(node)
            self.machine.run("ip", "route", "replace", pods, "via", address)
            if node["metadata"]["name"] == GATEWAY_NODE:
                allowed = pods
        self.machine.run("nft", "-f", "-", data=external_filter(allowed))
        # in the background of the machine, whose end is its end
        log, hosts = "/var/log/meshproof/external.log", "/etc/meshproof/external/hosts.json"
        server_log = "/var/log/meshproof/external-server.log"
        start = f"exec setsid --fork /opt/external/external -hosts {hosts} -log {log} >{server_log} 2>&1"
        self.machine.run("sh", "-c", start)
        there = self.machine.folder("log") / "external.log"
        self.api.wait("the external hosts", lambda _s, _a: None if there.exists() else "see external-server.log", 30)

    def _mesh(self) -> None:
        work = self.machine.folder("etc")
        operator = work / "istio.yaml"
        operator.write_text(self._manifest("istio.yaml"))
        istioctl = self.parts.get(self.parts.program(self.parts.release.module)) / "istioctl"
        command = [str(istioctl), "install", "--skip-confirmation", "--kubeconfig", str(self.kubeconfig)]
        log = self.machine.folder("log") / "istioctl.log"
        with log.open("w") as file:
            result = subprocess.run(
                [*command, "--filename", str(operator), "--readiness-timeout", f"{INSTALL_S}s"],
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                timeout=INSTALL_S + 60,
            )
        if result.returncode:
            raise ClusterError(f"istioctl install failed: {log.read_text().strip()[-400:]}", f"see {log}")
        alpn = self.parts.get(golden.part(self.parts)) / "manifests" / "istio-alpn.yaml"
        self.api.wait("Istio's definitions", lambda _session, _server: self._try(alpn.read_text()), 60)


def external_filter(gateway_pods: str) -> str:
    """The firewall towards the external hosts: only pods of the gateway node reach the blocked half of them."""
    return f"""
table ip meshproof_external {{
	chain refuse {{ meta l4proto tcp reject with tcp reset; reject with icmp type admin-prohibited; }}
	chain input {{
		type filter hook input priority 10; policy accept;
		ip daddr {internet.BLOCKED} ip saddr != {gateway_pods} jump refuse
	}}
}}
"""


def _address(node: Mapping[str, Any]) -> str:
    return next(str(entry["address"]) for entry in node["status"]["addresses"] if entry["type"] == "InternalIP")


def _all_ready(session: requests.Session, server: str) -> str | None:
    return not_ready(session.get(f"{server}/api/v1/nodes", timeout=5).json()["items"])


def not_ready(nodes: Sequence[Mapping[str, Any]]) -> str | None:
    """Why not all nodes have joined and are Ready; None if they have."""
    if len(nodes) < NODES:
        return f"{len(nodes)} of {NODES} nodes have joined"
    waiting = []
    for node in nodes:
        conditions = {one["type"]: one for one in node["status"].get("conditions", [])}
        ready = conditions.get("Ready", {})
        if ready.get("status") != "True":
            waiting.append(f"{node['metadata']['name']}: {ready.get('message', 'not Ready')}")
    return "; ".join(waiting) or None
