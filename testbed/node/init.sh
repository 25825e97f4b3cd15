#!/bin/sh
# PID 1 of the node's namespaces, second half: the network, then the supervisor of all services.
set -eu
umount -l /.before
. /etc/meshproof/env
echo "$NODE_NAME" >/proc/sys/kernel/hostname

# Machine-wide kernel settings are not ours to change; those of our own network namespace are.
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,rw /proc/sys/net
# The kubelet insists on six of them. It is shown the values that it wants, and the machine keeps its own.
wanted() {
	[ -e "/proc/sys/$1" ] || return 0
	echo "$2" >"/run/sysctl.$(basename "$1")"
	mount --bind "/run/sysctl.$(basename "$1")" "/proc/sys/$1"
}
wanted vm/overcommit_memory 1
wanted vm/panic_on_oom 0
wanted kernel/panic 10
wanted kernel/panic_on_oops 1
wanted kernel/keys/root_maxkeys 1000000
wanted kernel/keys/root_maxbytes 25000000
: >/etc/resolv.conf
printf '127.0.0.1 localhost\n%s %s\n' "$NODE_IP" "$NODE_NAME" >/etc/hosts

# Wait for a link that the machine puts into this network.
await() {
	tries=0
	until ip link show "$1" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 500 ] || { echo "the link $1 to the machine never came" >&2; exit 1; }
		sleep 0.02
	done
}
# The hermetic internet: every external address in a network namespace of its own, which leads to pods by one link.
internet() {
	echo "link set lo up"
	echo "link set eth0 up"
	for address in $EXTERNAL_ADDRESSES; do echo "address add $address/${EXTERNAL_CIDR#*/} dev eth0"; done
	echo "route add $POD_CIDR via $EXTERNAL_NODE_END"
}
# Which addresses of pods the packet filter lets out to it.
external_rules() {
	cat <<RULES
table ip meshproof_external {
	chain refuse { meta l4proto tcp reject with tcp reset; reject with icmp type admin-prohibited; }
	# after the policies of pods (priority 0): what these drop is dropped, and a refusal here is that of a firewall behind them
	chain forward {
		type filter hook forward priority 10; policy accept;
		ip saddr $ALLOWED_OUT accept
		ip saddr $POD_CIDR ip daddr $EXTERNAL_BLOCKED jump refuse
	}
}
RULES
}
ip link set lo up
# Service addresses and Calico's proxy-ARP gateway need a route to exist; an empty bridge holds them.
ip link add cluster0 type bridge
ip link set cluster0 up
ip route add "$SERVICE_CIDR" dev cluster0
ip route add 169.254.1.1 dev cluster0
echo 1 >/proc/sys/net/ipv4/ip_forward
# A Service without endpoints is refused by an ICMP message; many probes a second would run into its rate limit.
echo 0 >/proc/sys/net/ipv4/icmp_ratelimit
. /etc/meshproof/network.sh

mkdir -p /opt/cni/bin /etc/cni/net.d /etc/cni/istio.d /run/istio-cni /run/service /var/lib/calico
ln -sf /usr/lib/cni/loopback /usr/lib/cni/host-local /usr/lib/cni/portmap /opt/calico/calico /opt/istio/istio-cni /opt/cni/bin/
ln -sf /etc/meshproof/ipam.sh /opt/cni/bin/meshproof-ipam
chmod 755 /etc/meshproof/ipam.sh
cp /etc/meshproof/10-calico.conflist /etc/cni/net.d/
cp /etc/meshproof/10-istio.conflist /etc/cni/istio.d/
ln -s /etc/meshproof/istio-cni.kubeconfig /run/istio-cni/istio-cni-kubeconfig
ln -s /var/log/meshproof/istio-cni.log /run/istio-cni/istio-cni.log
echo "$NODE_NAME" >/var/lib/calico/nodename
for service in $SERVICES; do
	mkdir "/run/service/$service"
	cp "/etc/meshproof/sv/$service/run" "/run/service/$service/run"
	chmod 755 "/run/service/$service/run"
done
export PATH=/opt/kubernetes:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Processor time is what a start of many pods waits for; memory is there: Go's services collect garbage less often.
export GOGC=300
exec runsvdir -P /run/service
