"""The images that kubeadm starts a control plane from, under the names that it asks for."""

from __future__ import annotations

from pathlib import Path

from testbed.build import oci
from testbed.profiles.kindcluster.versions import KUBEADM_IMAGES
from testbed.versions import KUBERNETES

_CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")


def write(target: Path, base: Path, kubernetes: Path, etcd: Path, coredns: Path) -> None:
    """Write the archive.

    Args:
        base: root file system that all images share.
        kubernetes, etcd, coredns: folders of the programs.
    """
    images = [
        oci.Image(f"registry.k8s.io/{name}:v{KUBERNETES}", (), {f"/usr/local/bin/{name}": kubernetes / name})
        for name in _CONTROL_PLANE
    ]
    images += [
        oci.Image(KUBEADM_IMAGES["etcd"], (), {"/usr/local/bin/etcd": etcd / "server"}),
        oci.Image(KUBEADM_IMAGES["coredns"], ("/coredns",), {"/coredns": coredns / "stock"}),
    ]
    images += [
        oci.Image(KUBEADM_IMAGES[name], ("/usr/bin/sleep", "infinity"), user="65535:65535")
        for name in ("pause", "pause-of-kubeadm")
    ]
    oci.write_archive(target, base, images)
