#!/bin/sh
# PID 1 of the machine on which kind runs, first half: lays out its root file system and moves into it.
# Everything is mounted in this private mount namespace, so the end of this process is the end of every mount.
# Usage: enter.sh STATE_FOLDER ROOT_FILE_SYSTEM KIND_BIN NODE_STORE EXTERNAL_BIN
set -eu
state=$1 lower=$2 kind=$3 store=$4 external=$5
root=$state/root

. "$LIBRARY/root.sh"
overlay "$lower"
bind "$kind" /opt/kind
bind "$store" /opt/node-image
bind "$external" /opt/external
bind "$state/etc" /etc/meshproof
bind "$state/log" /var/log/meshproof
# containers' own layers are overlays, and an overlay cannot be the upper layer of another
bind "$state/containers" /var/lib/containers
# kind mounts this folder into every node, whether the machine has one or not
mkdir -p "$root/lib/modules"
if [ -d /lib/modules ]; then bind /lib/modules /lib/modules; fi

kernel
for folder in /run /tmp; do mount -t tmpfs tmpfs "$root$folder"; done

cgroups
move_in
