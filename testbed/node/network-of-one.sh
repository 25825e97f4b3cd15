# The network of a cluster of one node, which is the router too: towards the machine and towards the external hosts.
await eth0
ip address add "$NODE_IP/$LINK_BITS" dev eth0
ip link set eth0 up
# Load balancers' addresses are the node's own; one that no Service has refuses connections.
ip route add local "$BALANCER_CIDR" dev eth0
ip netns add internet
ip link add internet0 type veth peer name eth0 netns internet
ip address add "$EXTERNAL_NODE_END/${EXTERNAL_CIDR#*/}" dev internet0
ip link set internet0 up
internet | ip -netns internet -batch -
# Hermetic: the only traffic towards the machine is the answer to what the machine asked, of the node or of a Service's
# outer address (translated by kube-proxy); a pod's address cannot be asked from outside.
nft -f - <<RULES
table inet meshproof_hermetic {
	chain forward { type filter hook forward priority -300; policy accept; oifname "eth0" ct direction reply accept; oifname "eth0" drop; iifname "eth0" ct status dnat accept; iifname "eth0" drop; }
	chain output { type filter hook output priority 0; policy accept; oifname "eth0" ct state established,related accept; oifname "eth0" drop; }
}
$(external_rules)
RULES
