#!/bin/sh
# Bytecode for the image's Python, by that Python itself: the image is read-only, so that a pod could never keep any.
# Usage, in a mount namespace of its own, so that nothing stays mounted:
#   compile.sh ROOT                     the standard library and the packages
#   compile.sh ROOT APPLICATION INSIDE  the folder APPLICATION, which is INSIDE in the image
set -eu
root=$1
if [ $# -eq 3 ]; then
	mount --bind "$2" "$root$3"
	set -- "$3"
else
	set -- /usr/lib/python3.11 /usr/local/lib/python3.11/dist-packages
fi
# 1: some file cannot be compiled, such as a template for another version of Python; a run never imports it
chroot "$root" /usr/bin/python3 -m compileall -q -q --invalidation-mode unchecked-hash "$@" || [ $? -eq 1 ]
