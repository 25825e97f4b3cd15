"""The node's configuration, written at every start: keys, kubeconfigs, settings of each service."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from testbed import internet, pki
from testbed.addresses import EXTERNAL, GATEWAY_POOL, POD_POOL, PODS, SERVICES, Link
from testbed.parts import ImageNames
from testbed.versions import HERE

NODE_NAME = "meshproof"
API_PORT = 6443
DNS = str(SERVICES[10])
_SOURCES = HERE / "node"
_TEMPLATES = ("env", "containerd.toml", "kubelet.yaml", "10-calico.conflist")

_CLIENTS = {
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "kubelet": (f"system:node:{NODE_NAME}", "system:nodes"),
    "kube-proxy": ("system:kube-proxy", ""),
    "calico": ("meshproof:calico", ""),
    "istio-cni": ("meshproof:istio-cni", ""),
    "load-balancer": ("system:serviceaccount:kube-system:service-controller", ""),
}
"""kubeconfig inside the node → user and group of its certificate (Kubernetes, PKI certificates and requirements)."""


def write(folder: Path, link: Link, images: ImageNames, services: Sequence[str]) -> str:
    """Fill the node's `etc` folder; returns the administrator's kubeconfig.

    Args:
        folder: empty folder that becomes `/etc/meshproof` of the node.
        services: which services the supervisor starts.
    """
    authority = pki.Authority()
    secrets = folder / "pki"
    server_names = [link.node, str(SERVICES[1]), "127.0.0.1", "localhost", "kubernetes", "kubernetes.default"]
    server_names += ["kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    _write_pair(secrets / "ca", authority.pair)
    _write_pair(secrets / "apiserver", authority.issue("kube-apiserver", names=server_names))
    _write_pair(secrets / "apiserver-kubelet", authority.issue("kube-apiserver-kubelet-client", "system:masters"))
    _write_pair(
        secrets / "kubelet", authority.issue(f"system:node:{NODE_NAME}", "system:nodes", [NODE_NAME, link.node])
    )
    tokens = pki.service_account_key()
    pki.write_secret(secrets / "service-account.pub", tokens.certificate)
    pki.write_secret(secrets / "service-account.key", tokens.key)
    root = authority.pair.certificate
    for name, (user, group) in _CLIENTS.items():
        server = f"https://127.0.0.1:{API_PORT}"
        content = pki.kubeconfig(server, root, authority.issue(user, group), name=name)
        pki.write_secret(folder / f"{name}.kubeconfig", content.encode())
    internet.write(folder / "external")
    _render(folder, link, images, services)
    administrator = authority.issue("meshproof:administrator", "system:masters")
    return pki.kubeconfig(f"https://{link.node}:{API_PORT}", root, administrator, name="meshproof")


def _write_pair(stem: Path, pair: pki.Pair) -> None:
    pki.write_secret(stem.with_suffix(".crt"), pair.certificate)
    pki.write_secret(stem.with_suffix(".key"), pair.key)


def _render(folder: Path, link: Link, images: ImageNames, services: Sequence[str]) -> None:
    values = {
        "node_name": NODE_NAME,
        "node_ip": link.node,
        "link_bits": link.network.prefixlen,
        "balancers": link.balancers,
        "services": SERVICES,
        "pods": PODS,
        "pod_pool": POD_POOL,
        "gateway_pool": GATEWAY_POOL,
        "external": EXTERNAL,
        "external_node_end": internet.NODE_END,
        "external_addresses": " ".join(internet.addresses()),
        "external_blocked": internet.BLOCKED,
        "api_port": API_PORT,
        "dns": DNS,
        "pause": images.of("pause"),
        "enabled": " ".join(services),
    }
    templates = Environment(loader=FileSystemLoader(_SOURCES), undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701 - settings files, not markup
    for name in _TEMPLATES:
        (folder / name).write_text(templates.get_template(name).render(values))
    chain_istio(folder)
    for script in ("init.sh", "ipam.sh"):
        shutil.copy(_SOURCES / script, folder / script)
    shutil.copytree(_SOURCES / "sv", folder / "sv")


def chain_istio(folder: Path) -> None:
    """Write a second network configuration with Istio's plug-in at its end, for the runtime class `istio-cni` only.

    A usual cluster has the plug-in in the chain of every pod. Here this would cost each pod two more starts of a large
    program, which does nothing for pods with `istio-init`.
    """
    chain = json.loads((folder / "10-calico.conflist").read_text())
    chain["plugins"].append(json.loads((_SOURCES / "istio-cni.json").read_text()))
    (folder / "10-istio.conflist").write_text(json.dumps(chain, indent=2))
