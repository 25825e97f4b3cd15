#!/bin/sh
# Starts private namespaces from inside their own cgroups, so that everything they ever start can be found there.
# Usage: launch.sh CGROUP_FOLDERS(separated by :) COMMAND...
set -eu
folders=$1
shift
IFS=:
for folder in $folders; do echo $$ >"$folder/cgroup.procs"; done
unset IFS
LIBRARY=$(dirname "$0") # of root.sh, for the command
export LIBRARY
exec unshare --net --mount --pid --uts --ipc --cgroup --fork --kill-child --propagation private "$@"
