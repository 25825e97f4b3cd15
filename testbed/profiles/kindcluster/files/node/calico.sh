#!/bin/sh
# On each node of `kind-full`: Calico's network plug-in and Felix, which enforces policies, next to the routes of
# network.sh. Runs in the node's root file system.
set -eu
server=$(sed -n 's|.*server: \(https://.*\)|\1|p' /etc/kubernetes/kubelet.conf)
cat >/etc/cni/calico.kubeconfig <<CONF
apiVersion: v1
kind: Config
current-context: calico
clusters: [{name: calico, cluster: {server: "$server", certificate-authority: /etc/cni/ca.crt}}]
users: [{name: calico, user: {tokenFile: /etc/cni/token}}]
contexts: [{name: calico, context: {cluster: calico, user: calico}}]
CONF
POLICIES=calico /bin/sh /kind/bin/network.sh &

kubectl() { /usr/bin/kubectl --kubeconfig /etc/cni/calico.kubeconfig "$@"; }
until own=$(kubectl get node "$NODE_NAME" -o 'jsonpath={.spec.podCIDR}') && [ -n "$own" ]; do sleep 1; done
mkdir -p /var/lib/calico
echo "$NODE_NAME" >/var/lib/calico/nodename
cat >/etc/cni/net.d/.new <<CONF
{"cniVersion": "0.3.1", "name": "calico", "plugins": [
  {"type": "calico", "datastore_type": "kubernetes", "nodename": "$NODE_NAME", "mtu": 1500, "log_level": "warning",
   "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam", "ranges": [[{"subnet": "$own"}]]},
   "policy": {"type": "k8s"}, "kubernetes": {"kubeconfig": "/etc/cni/calico.kubeconfig"}},
  {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}}]}
CONF
mv /etc/cni/net.d/.new /etc/cni/net.d/10-calico.conflist

export KUBECONFIG=/etc/cni/calico.kubeconfig DATASTORE_TYPE=kubernetes FELIX_DATASTORETYPE=kubernetes
export FELIX_FELIXHOSTNAME="$NODE_NAME" FELIX_IPTABLESBACKEND=NFT FELIX_IPV6SUPPORT=false FELIX_BPFENABLED=false
export FELIX_USAGEREPORTINGENABLED=false FELIX_LOGSEVERITYSCREEN=warning FELIX_LOGFILEPATH=none FELIX_XDPENABLED=false
export FELIX_LOGSEVERITYFILE=none FELIX_LOGSEVERITYSYS=none FELIX_DEFAULTENDPOINTTOHOSTACTION=ACCEPT
exec /opt/meshproof/calico-felix
