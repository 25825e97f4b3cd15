#!/bin/sh
# PID 1 of the machine on which kind runs, first half: lays out its root file system and moves into it.
# Everything is mounted in this private mount namespace, so the end of this process is the end of every mount.
# Usage: enter.sh STATE_FOLDER ROOT_FILE_SYSTEM KIND_BIN NODE_STORE EXTERNAL_BIN
set -eu
state=$1 lower=$2 kind=$3 store=$4 external=$5
root=$state/root

mount --make-rprivate /
mount -t overlay -o "lowerdir=$lower,upperdir=$state/upper,workdir=$state/work" meshproof "$root"

bind() { mkdir -p "$root$2"; mount --bind "$1" "$root$2"; }
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

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
for folder in /run /tmp; do mount -t tmpfs tmpfs "$root$folder"; done

# The cgroup namespace begins at our own cgroup: those of the nodes stay below it.
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
	# cgroup v2 allows no process in a cgroup that hands controllers down
	mkdir "$root/sys/fs/cgroup/init"
	echo 1 >"$root/sys/fs/cgroup/init/cgroup.procs"
	for controller in $(cat "$root/sys/fs/cgroup/cgroup.controllers"); do
		echo "+$controller" >"$root/sys/fs/cgroup/cgroup.subtree_control" || true
	done
else
	mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
	grep ' - cgroup ' /proc/self/mountinfo | while read -r line; do
		options=${line##* }
		names=$(basename "$(echo "$line" | cut -d ' ' -f 5)")
		mkdir -p "$root/sys/fs/cgroup/$names"
		case $options in
		*name=*) mount -t cgroup -o "none,name=${options##*name=}" cgroup "$root/sys/fs/cgroup/$names" ;;
		*) mount -t cgroup -o "$names" cgroup "$root/sys/fs/cgroup/$names" ;;
		esac
	done
fi

cd "$root"
mkdir -p .before
pivot_root . .before
exec chroot . /bin/sh /etc/meshproof/init.sh
