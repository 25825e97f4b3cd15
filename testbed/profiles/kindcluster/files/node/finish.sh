#!/bin/sh
# Inside the node's root file system, once, when the image is made: what the packages' maintainer scripts and the
# Dockerfile of kind's base image would have done. Archives of images are /tmp/*.tar.
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

systemd-sysusers
# kind's entrypoint chooses between the two kinds of iptables by update-alternatives
mkdir -p /var/lib/dpkg/alternatives /etc/alternatives /var/log
for family in iptables ip6tables; do
	rm -f "/usr/sbin/$family" "/usr/sbin/$family-save" "/usr/sbin/$family-restore"
	for mode in legacy nft; do
		update-alternatives --quiet --install "/usr/sbin/$family" "$family" "/usr/sbin/$family-$mode" 10 \
			--slave "/usr/sbin/$family-save" "$family-save" "/usr/sbin/$family-$mode-save" \
			--slave "/usr/sbin/$family-restore" "$family-restore" "/usr/sbin/$family-$mode-restore"
	done
done
[ -e /usr/bin/which ] || ln -s which.debianutils /usr/bin/which
[ -e /usr/bin/awk ] || ln -s mawk /usr/bin/awk

units=/usr/lib/systemd/system
rm -f $units/sysinit.target.wants/systemd-tmpfiles-setup.service $units/multi-user.target.wants/* \
	/etc/systemd/system/*.wants/* $units/local-fs.target.wants/* $units/sockets.target.wants/*udev* \
	$units/sockets.target.wants/*initctl* $units/basic.target.wants/*
mkdir -p /etc/systemd/system/multi-user.target.wants /etc/kubernetes/manifests
echo ReadKMsg=no >>/etc/systemd/journald.conf
ln -sf /usr/lib/systemd/systemd /usr/sbin/init
for unit in kubelet containerd undo-mount-hacks; do
	ln -sf "/etc/systemd/system/$unit.service" "/etc/systemd/system/multi-user.target.wants/$unit.service"
done
ln -sf /dev/null /etc/systemd/system/systemd-binfmt.service

mkdir -p /opt/cni/bin /etc/cni/net.d
for plugin in host-local loopback ptp portmap; do ln -sf "/usr/lib/cni/$plugin" "/opt/cni/bin/$plugin"; done
ln -sf /opt/meshproof/calico /opt/cni/bin/calico
for program in containerd ctr containerd-shim-runc-v2; do ln -sf "/usr/bin/$program" "/usr/local/bin/$program"; done
# the machine's hard limits may be lower than those of containerd's default
ctr oci spec | jq 'del(.process.rlimits)' >/etc/containerd/cri-base.json

# Images are imported packed: a node unpacks the few that its pods need.
echo 'disabled_plugins = ["io.containerd.grpc.v1.cri"]' >/tmp/containerd.toml
echo 'version = 2' | cat - /tmp/containerd.toml >/tmp/import.toml
containerd --config /tmp/import.toml >/tmp/containerd.log 2>&1 &
server=$!
tries=0
until ctr version >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ "$tries" -lt 200 ] || { cat /tmp/containerd.log; exit 1; }
	sleep 0.1
done
for archive in /tmp/*.tar; do ctr --namespace k8s.io images import --no-unpack --digests "$archive"; done
kill "$server"
wait "$server" || true
