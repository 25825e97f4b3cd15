# The network of a cluster of several nodes, which share the machine: a router in a network namespace of its own, on the
# first node. It links the nodes, this machine and the external hosts, as the network of a cloud does, and delivers what
# is sent to a load balancer's address to the nodes that the script `load-balancer` names.
router() { nsenter --net=/run/netns/network "$@"; }
if [ "$NODE_NUMBER" = 0 ]; then
	await uplink
	ip netns add network
	ip netns add internet
	ip link set uplink netns network
	ip link add eth0 type veth peer name port0 netns network
	ip link add internet0 netns network type veth peer name eth0 netns internet
	{
		echo "link set lo up"
		echo "link add nodes0 type bridge"
		echo "address add $ROUTER_IP/$LINK_BITS dev nodes0"
		echo "link set port0 master nodes0"
		for link in port0 nodes0 uplink internet0; do echo "link set $link up"; done
		echo "route add $HOST_IP/32 dev uplink"
		echo "address add $EXTERNAL_NODE_END/${EXTERNAL_CIDR#*/} dev internet0"
		for route in $ROUTES; do echo "route add ${route%=*} via ${route#*=}"; done
		echo "route add unreachable $BALANCER_CIDR"
	} | ip -netns network -batch -
	{
		internet
		echo "route add $LINK via $EXTERNAL_NODE_END"
	} | ip -netns internet -batch -
	# The machine asks for nodes and load balancers by ARP, as if they were on its link; the router answers for them.
	router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy
		for link in uplink nodes0; do
			echo 1 >/proc/sys/net/ipv4/conf/$link/proxy_arp
			echo 0 >/proc/sys/net/ipv4/neigh/$link/proxy_delay
		done
		echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects; echo 0 >/proc/sys/net/ipv4/conf/nodes0/send_redirects'
	# Hermetic: towards the machine there are only answers to what the machine asked; a pod cannot be asked from outside.
	router nft -f - <<RULES
table inet meshproof_hermetic {
	chain forward {
		type filter hook forward priority -300; policy accept;
		oifname "uplink" ct direction reply accept
		oifname "uplink" drop
		iifname "uplink" ip daddr $LINK accept
		iifname "uplink" drop
	}
	chain output { type filter hook output priority 0; policy accept; oifname "uplink" ct state established,related accept; oifname "uplink" drop; }
}
$(external_rules)
RULES
else
	await eth0
fi
ip address add "$NODE_IP/$LINK_BITS" dev eth0
ip link set eth0 up
for route in $ROUTES; do
	[ "${route#*=}" = "$NODE_IP" ] || ip route add "${route%=*}" via "${route#*=}"
done
ip route add "$EXTERNAL_CIDR" via "$ROUTER_IP"
