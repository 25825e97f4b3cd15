"""The nodes' configuration, written at every start: keys, kubeconfigs, settings of each service."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from testbed import internet, pki
from testbed.addresses import EXTERNAL, PODS, SERVICES, Link
from testbed.form import GATEWAY, POOL_LABEL, SINGLE, Form, pools
from testbed.form import NODE_NAME as NODE_NAME
from testbed.parts import ImageNames
from testbed.versions import HERE

API_PORT = 6443
DNS = str(SERVICES[10])
_SOURCES = HERE / "node"
_TEMPLATES = ("env", "containerd.toml", "kubelet.yaml", "10-calico.conflist")

_OF_EVERY_NODE = {
    "kube-proxy": ("system:kube-proxy", ""),
    "calico": ("meshproof:calico", ""),
    "istio-cni": ("meshproof:istio-cni", ""),
}
_OF_CONTROL_PLANE = {
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "load-balancer": ("system:serviceaccount:kube-system:service-controller", ""),
}
"""kubeconfig inside a node → user and group of its certificate (Kubernetes, PKI certificates and requirements)."""


@dataclass(frozen=True)
class Configuration:
    """What the nodes of one cluster are configured with.

    Attributes:
        services: which services the supervisor of the first node starts.
    """

    link: Link
    images: ImageNames
    services: Sequence[str]
    form: Form = SINGLE
    authority: pki.Authority = field(default_factory=pki.Authority)

    def administrator(self) -> str:
        """The administrator's kubeconfig, for this machine."""
        pair = self.authority.issue("meshproof:administrator", "system:masters")
        server = f"https://{self.link.node}:{API_PORT}"
        return pki.kubeconfig(server, self.authority.pair.certificate, pair, name=self.form.name or "meshproof")

    def write_first(self, folder: Path) -> None:
        """Fill the `etc` folder of the first node, which runs the control plane; it is `/etc/meshproof` there."""
        secrets = folder / "pki"
        server_names = [self.link.node, str(SERVICES[1]), internet.NODE_END, "127.0.0.1", "localhost", "kubernetes"]
        server_names += ["kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        _write_pair(secrets / "apiserver", self.authority.issue("kube-apiserver", names=server_names))
        _write_pair(
            secrets / "apiserver-kubelet", self.authority.issue("kube-apiserver-kubelet-client", "system:masters")
        )
        tokens = pki.service_account_key()
        pki.write_secret(secrets / "service-account.pub", tokens.certificate)
        pki.write_secret(secrets / "service-account.key", tokens.key)
        pki.write_secret(secrets / "ca.key", self.authority.pair.key)
        self._write_kubeconfigs(folder, _OF_CONTROL_PLANE, "127.0.0.1")
        internet.write(folder / "external")
        self._write_node(folder, 0, "127.0.0.1", self.services)

    def write_further(self, folder: Path, number: int, services: Sequence[str]) -> None:
        """Fill the `etc` folder of a further node.

        Args:
            number: of the node, from 1.
            services: which services its supervisor starts.
        """
        self._write_node(folder, number, self.link.node, services)

    def _write_node(self, folder: Path, number: int, server: str, services: Sequence[str]) -> None:
        """What every node has. `server` is the API server's address, as this node sees it."""
        name, address = self.form.nodes[number].name, self.link.node_address(number)
        user, group = f"system:node:{name}", "system:nodes"
        pki.write_secret(folder / "pki" / "ca.crt", self.authority.pair.certificate)
        _write_pair(folder / "pki" / "kubelet", self.authority.issue(user, group, [name, address]))
        self._write_kubeconfigs(folder, {"kubelet": (user, group), **_OF_EVERY_NODE}, server)
        _render(folder, self._values(number, services))
        chain_istio(folder)
        network = "network-of-many.sh" if self.form.routed else "network-of-one.sh"
        shutil.copy(_SOURCES / network, folder / "network.sh")
        for script in ("init.sh", "ipam.sh"):
            shutil.copy(_SOURCES / script, folder / script)
        shutil.copytree(_SOURCES / "sv", folder / "sv")

    def _write_kubeconfigs(self, folder: Path, users: dict[str, tuple[str, str]], server: str) -> None:
        root = self.authority.pair.certificate
        for name, (user, group) in users.items():
            pair = self.authority.issue(user, group)
            content = pki.kubeconfig(f"https://{server}:{API_PORT}", root, pair, name=name)
            pki.write_secret(folder / f"{name}.kubeconfig", content.encode())

    def _values(self, number: int, services: Sequence[str]) -> dict[str, object]:
        form, link = self.form, self.link
        node, own = form.nodes[number], pools(form, number)
        return {
            "node_name": node.name,
            "node_number": number,
            "routed": "yes" if form.routed else "",
            "node_ip": link.node_address(number),
            "node_labels": f"{POOL_LABEL}={node.pool}",
            "node_taints": node.taint,
            "first_node_ip": link.node,
            "host_ip": link.host,
            "router_ip": link.router,
            "link": link.network,
            "link_bits": link.network.prefixlen,
            "balancers": link.balancers,
            "balancer_delay_s": form.balancer_delay_s,
            "services": SERVICES,
            "pods": PODS,
            "pod_pool": own.pods,
            "gateway_pool": own.gateway,
            "allowed_out": _allowed_out(form),
            "routes": " ".join(self._routes()),
            "external": EXTERNAL,
            "external_node_end": internet.NODE_END,
            "external_addresses": " ".join(internet.addresses()),
            "external_blocked": internet.BLOCKED,
            "api_port": API_PORT,
            "api_arguments": " ".join(form.api_server),
            "dns": DNS,
            "pause": self.images.of("pause"),
            "enabled": " ".join(services),
        }

    def _routes(self) -> list[str]:
        """Ranges of pods and the nodes that they are on, as `range=address`."""
        return [
            f"{network}={self.link.node_address(number)}"
            for number in range(len(self.form.nodes))
            for network in (pools(self.form, number).pods, pools(self.form, number).gateway)
        ]


def write(folder: Path, link: Link, images: ImageNames, services: Sequence[str]) -> str:
    """Fill the `etc` folder of a cluster's only node; returns the administrator's kubeconfig."""
    configuration = Configuration(link, images, services)
    configuration.write_first(folder)
    return configuration.administrator()


def _allowed_out(form: Form) -> str:
    """Ranges of pods that may reach the blocked external hosts, as a set of the packet filter."""
    if not form.routed:
        return str(pools(form, 0).gateway)
    numbers = [number for number, node in enumerate(form.nodes) if node.pool == GATEWAY]
    ranges = [str(one) for n in numbers for one in (pools(form, n).pods, pools(form, n).gateway)]
    return f"{{ {', '.join(ranges)} }}"


def _write_pair(stem: Path, pair: pki.Pair) -> None:
    pki.write_secret(stem.with_suffix(".crt"), pair.certificate)
    pki.write_secret(stem.with_suffix(".key"), pair.key)


def _render(folder: Path, values: dict[str, object]) -> None:
    templates = Environment(loader=FileSystemLoader(_SOURCES), undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701 - settings files, not markup
    for name in _TEMPLATES:
        (folder / name).write_text(templates.get_template(name).render(values))


def chain_istio(folder: Path) -> None:
    """Write a second network configuration with Istio's plug-in at its end, for the runtime class `istio-cni` only.

    A usual cluster has the plug-in in the chain of every pod. Here this would cost each pod two more starts of a large
    program, which does nothing for pods with `istio-init`.
    """
    chain = json.loads((folder / "10-calico.conflist").read_text())
    chain["plugins"].append(json.loads((_SOURCES / "istio-cni.json").read_text()))
    (folder / "10-istio.conflist").write_text(json.dumps(chain, indent=2))
