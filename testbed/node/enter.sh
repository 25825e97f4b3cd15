#!/bin/sh
# PID 1 of the node's namespaces, first half: lays out the node's root file system and moves into it.
# Everything is mounted in this private mount namespace, so the end of this process is the end of every mount.
# Usage: enter.sh STATE_FOLDER ROOT_FILE_SYSTEM KUBERNETES_BIN CALICO_BIN ETCD_BIN EXTERNAL_BIN ISTIO_BIN
set -eu
state=$1 lower=$2 kubernetes=$3 calico=$4 etcd=$5 external=$6 istio=$7
root=$state/root

. "$LIBRARY/root.sh"
overlay "$lower"
bind "$kubernetes" /opt/kubernetes
bind "$calico" /opt/calico
bind "$etcd" /opt/etcd
bind "$external" /opt/external
bind "$istio" /opt/istio
bind "$state/etc" /etc/meshproof
bind "$state/log" /var/log/meshproof
# containerd's snapshots are overlays themselves, and an overlay cannot be the upper layer of another
bind "$state/containerd" /var/lib/containerd
bind "$state/kubelet" /var/lib/kubelet
bind "$state/etcd" /var/lib/etcd
if [ -d /lib/modules ]; then bind /lib/modules /lib/modules; fi

kernel
for folder in /run /tmp /var/lib/cni /var/lib/calico; do
	mkdir -p "$root$folder"
	mount -t tmpfs tmpfs "$root$folder"
done

cgroups
move_in
