#!/bin/sh
# In front of kind's own entrypoint: machine-wide kernel settings are not a node's to change; those of its own network
# namespace are. (testbed/node/init.sh does the same.)
set -eu
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,rw /proc/sys/net
# The kubelet insists on six of them. It is shown the values that it wants, and the machine keeps its own.
wanted() {
	[ -e "/proc/sys/$1" ] || return 0
	echo "$2" >"/kind/sysctl.$(basename "$1")"
	mount --bind "/kind/sysctl.$(basename "$1")" "/proc/sys/$1"
}
wanted vm/overcommit_memory 1
wanted vm/panic_on_oom 0
wanted kernel/panic 10
wanted kernel/panic_on_oops 1
wanted kernel/keys/root_maxkeys 1000000
wanted kernel/keys/root_maxbytes 25000000
exec /usr/local/bin/entrypoint "$@"
