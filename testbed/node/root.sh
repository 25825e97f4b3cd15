# What every PID 1 of private namespaces does at first, in its own mount namespace: a root file system that is an overlay
# of a built one, and the move into it. `launch.sh` names this file's folder; $state and $root are the caller's.
overlay() {
	mount --make-rprivate /
	mount -t overlay -o "lowerdir=$1,upperdir=$state/upper,workdir=$state/work" meshproof "$root"
}

bind() { mkdir -p "$root$2"; mount --bind "$1" "$root$2"; }

# The kernel's own file systems.
kernel() {
	mount -t proc proc "$root/proc"
	mount -t sysfs sysfs "$root/sys"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
}

# The cgroup namespace begins at our own cgroup: those of the kubelet, or of nodes, stay below it, next to those of any
# other cluster.
cgroups() {
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
}

# The second half of PID 1 is the init.sh of its own settings.
move_in() {
	cd "$root"
	mkdir -p .before
	pivot_root . .before
	exec chroot . /bin/sh /etc/meshproof/init.sh
}
