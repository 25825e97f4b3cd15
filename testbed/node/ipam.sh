#!/bin/sh
# CNI address plugin: host-local with one of two ranges. A pod with Calico's own annotation for address pools,
#   cni.projectcalico.org/ipv4pools: '["gateway"]'
# gets an address of the range for gateways. Calico itself heeds it only with its own address plugin, which asks the API
# server about ten times for each pod; containerd hands annotations to the plugin anyway.
set -eu
. "${MESHPROOF_ENV:-/etc/meshproof/env}"
config=$(cat)
if printf '%s' "$config" | grep -q '"cni.projectcalico.org/ipv4pools":"\[ *\\"gateway\\" *\]"'; then
	config=$(printf '%s' "$config" | sed "s|\"$POD_POOL\"|\"$GATEWAY_POOL\"|; s|\"/var/lib/cni/pods\"|\"/var/lib/cni/gateway\"|")
fi
printf '%s' "$config" | exec "${MESHPROOF_HOST_LOCAL:-/usr/lib/cni/host-local}"
