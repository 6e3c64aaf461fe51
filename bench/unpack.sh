#!/bin/sh
# The peer of bench/apply.ts: unpack.sh FILE.xz OUT
set -eu
xz --decompress --stdout "$1" | dd of="$2" bs=1M conv=fsync status=none
