#!/bin/sh
# mkosi.sh TREE.tar PROJECT ROOT: runs mkosi twice in a tree of its own and prints the seconds of the second run.
# Everything happens in this mount namespace and is gone with it.
set -eu
tree=$1 project=$2 root=$3
mkdir -p "$root"
mount -t tmpfs -o size=10g,mode=0755 peer "$root"
tar --extract --exclude='./dev/*' --file "$tree" --directory "$root"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mkdir -p "$root/project/packages"
cp -r "$project/." "$root/project/"
cp /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" sh -c 'cd /project && mkosi --force build' >&2
begin=$(date +%s)
chroot "$root" sh -c 'cd /project && mkosi --force build' >&2
echo "seconds $(($(date +%s) - begin))"
