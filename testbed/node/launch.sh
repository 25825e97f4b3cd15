#!/bin/sh
# Starts the node's namespaces from inside its own cgroups, so that everything it ever starts can be found there.
# Usage: launch.sh CGROUP_FOLDERS(separated by :) COMMAND...
set -eu
folders=$1
shift
IFS=:
for folder in $folders; do echo $$ >"$folder/cgroup.procs"; done
unset IFS
exec unshare --net --mount --pid --uts --ipc --cgroup --fork --kill-child --propagation private "$@"
