#!/bin/sh
# Headless Chromium out of the root file system next to this script. It sees this machine's network, and of its files only
# the profile folder that it is given, and, read-only, the folders of `--meshproof-shows=FOLDER`; what it writes elsewhere
# is gone with it.
# Everything is mounted in a private mount namespace, so the end of the browser is the end of every mount. No process
# stands between the caller and the browser: file descriptors and signals are its own.
# Usage: chromium ARGUMENT...
set -eu
here=$(dirname "$(readlink -f "$0")")
if [ "${1-}" != --entered ]; then
	exec unshare --mount --propagation private -- "$0" --entered "$@"
fi
shift

mount -t tmpfs tmpfs "$here/view"
root=$here/view/root
mkdir "$here/view/upper" "$here/view/work" "$root"
mount -t overlay -o "lowerdir=$here/root,upperdir=$here/view/upper,workdir=$here/view/work" meshproof "$root"

bind() { mkdir -p "$root$1"; mount --rbind "$1" "$root$1"; }
for folder in /proc /sys /dev; do bind "$folder"; done
for argument; do
	case $argument in
	--user-data-dir=*) bind "${argument#*=}" ;;
	--meshproof-shows=*)
		bind "${argument#*=}"
		mount -o remount,bind,ro "$root${argument#*=}"
		;;
	esac
done

export HOME=/tmp
exec chroot "$root" /usr/lib/chromium/chromium-headless-shell "$@"
