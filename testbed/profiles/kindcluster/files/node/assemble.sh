#!/bin/sh
# Finishes a node's root file system, puts images into it, and makes it an image in a store of podman's.
# Runs in private namespaces of mounts and processes: their end is the end of every mount and every process.
# Usage: assemble.sh WORK MACHINE_ROOT REFERENCE CHANGE CHANGE CHANGE ARCHIVE...
set -eu
work=$1 machine=$2 reference=$3 entrypoint=$4 signal=$5 variable=$6
shift 6
node=$work/.node

prepare() {
	mount --bind "$1" "$1"
	mount -t proc proc "$1/proc"
	mount --rbind /dev "$1/dev"
	mount -t tmpfs tmpfs "$1/run"
	mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
}

prepare "$node"
number=0
for archive in "$@"; do
	number=$((number + 1))
	: >"$node/tmp/$number.tar"
	mount --bind "$archive" "$node/tmp/$number.tar"
done
echo "images"
chroot "$node" /bin/sh /kind/bin/finish.sh
umount -R "$node"

echo "importing the image"
mkdir -p "$work/.machine" "$work/.upper" "$work/.work"
mount -t overlay -o "lowerdir=$machine,upperdir=$work/.upper,workdir=$work/.work" kind "$work/.machine"
prepare "$work/.machine"
mkdir -p "$work/.machine/store" "$work/.machine/etc/containers" "$work/.machine/var/tmp"
mount --bind "$work/store" "$work/.machine/store"
# otherwise podman looks for another backend's plug-ins, and warns of each that is missing
printf '[network]\nnetwork_backend = "netavark"\n' >"$work/.machine/etc/containers/containers.conf"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$work/.machine/etc/containers/policy.json"
tar -c -C "$node" . | chroot "$work/.machine" podman --root /store --storage-driver overlay --cgroup-manager cgroupfs \
	import --quiet --change "$entrypoint" --change "$signal" --change "$variable" - "$reference"
