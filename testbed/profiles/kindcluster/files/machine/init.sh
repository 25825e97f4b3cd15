#!/bin/sh
# PID 1 of the machine on which kind runs, second half: the network, and the settings of podman.
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umount -l /.before
. /etc/meshproof/env
echo "$MACHINE_NAME" >/proc/sys/kernel/hostname
printf '127.0.0.1 localhost\n%s %s\n' "$MACHINE_IP" "$MACHINE_NAME" >/etc/hosts
# An address of our own where no server is: podman would name public ones if this were empty.
echo "nameserver $NO_RESOLVER" >/etc/resolv.conf
mkdir -p /etc/containers
cp /etc/meshproof/containers.conf /etc/meshproof/storage.conf /etc/meshproof/policy.json /etc/containers/

ip link set lo up
tries=0
until ip link show eth0 >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ "$tries" -lt 500 ] || { echo "the link to the machine never came" >&2; exit 1; }
	sleep 0.02
done
ip address add "$MACHINE_IP/$LINK_BITS" dev eth0
ip address add "$NO_RESOLVER/32" dev lo
ip link set eth0 up
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 0 >/proc/sys/net/ipv4/icmp_ratelimit
for address in $EXTERNAL_ADDRESSES; do ip address add "$address/32" dev lo; done
# Hermetic: the only traffic towards the outside is the answer to what was asked from there, of a node or the API server.
nft -f - <<RULES
table inet meshproof_hermetic {
	chain forward { type filter hook forward priority -300; policy accept; oifname "eth0" ct direction reply accept; oifname "eth0" drop; iifname "eth0" ip daddr $NODES_CIDR accept; iifname "eth0" ct status dnat accept; iifname "eth0" drop; }
	chain output { type filter hook output priority 0; policy accept; oifname "eth0" ct state established,related accept; oifname "eth0" drop; }
}
RULES
touch /etc/meshproof/network-ready
exec catatonit -P
