"""The profiles `kind` and `kind-full`: a cluster of three nodes by the real program kind, with podman and kubeadm."""
