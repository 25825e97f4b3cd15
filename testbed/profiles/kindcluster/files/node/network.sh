#!/bin/sh
# On each node: the network of its pods, and routes to those of the other nodes. Runs in the node's root file system.
# The API server is asked by the name of the control plane's node: the network must not wait for kube-proxy.
set -eu
ask() {
	kubectl --server "https://$CONTROL_PLANE:6443" --certificate-authority /etc/cni/ca.crt --token "$(cat /etc/cni/token)" "$@"
}
CONTROL_PLANE=$(sed -n 's|.*server: https://\([^:]*\):.*|\1|p' /etc/kubernetes/kubelet.conf)

while :; do
	nodes=$(ask get nodes -o 'jsonpath={range .items[*]}{.metadata.name} {.spec.podCIDR} {.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}') || { sleep 1; continue; }
	own=$(echo "$nodes" | sed -n "s/^$NODE_NAME \([0-9./]*\) .*/\1/p")
	if [ -n "$own" ] && [ ! -e /etc/cni/net.d/10-simple.conflist ] && [ "${POLICIES:-}" = "" ]; then
		cat >/etc/cni/net.d/.new <<-CONF
			{"cniVersion": "0.3.1", "name": "simple", "plugins": [
			  {"type": "ptp", "ipMasq": false, "mtu": 1500,
			   "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam", "ranges": [[{"subnet": "$own"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
			  {"type": "portmap", "capabilities": {"portMappings": true}}]}
		CONF
		mv /etc/cni/net.d/.new /etc/cni/net.d/10-simple.conflist
	fi
	echo "$nodes" | while read -r name range address; do
		[ "$name" = "$NODE_NAME" ] || [ -z "$address" ] || ip route replace "$range" via "$address" || true
	done
	# a node that joins later is seen soon; afterwards nothing changes
	[ "$(echo "$nodes" | grep -c .)" -lt 3 ] && sleep 1 || sleep 10
done
