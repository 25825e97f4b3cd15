"""Versions of what a kind cluster needs beyond the testbed's own parts (see `testbed.versions`).

Its etcd is that of `modules/etcd`: kubeadm 1.34 gives etcd flags and probes of 3.6, and the testbed's own one, of 3.5
(`wheels/etcd.txt`), does not know them.
"""

from __future__ import annotations

KIND = "0.30.0"
"""Of the program; `modules/kind/go.sum` pins it. Its release notes name Kubernetes 1.34 as the default."""
NODE_IMAGE = "localhost/meshproof/node"
"""Name of the node image in podman's store."""

KUBEADM_IMAGES = {
    "etcd": "registry.k8s.io/etcd:3.6.5-0",
    "coredns": "registry.k8s.io/coredns/coredns:v1.12.1",
    "pause": "registry.k8s.io/pause:3.10",
    "pause-of-kubeadm": "registry.k8s.io/pause:3.10.1",
}
"""The names by which kubeadm 1.34 and kind's containerd want the images that are not Kubernetes' own."""
