#!/bin/sh
# Runs a test in a network of its own, with a resolv.conf of its own, and ends all it started:
#   sh tests/discovery/namespace.sh COMMAND...
# The command finds in $SCRATCH a directory that is removed afterwards. Exits 77 (skipped) only where
# namespaces are not allowed.
set -eu

if [ "${WSFAN_INSIDE-}" != yes ]; then
    root=
    [ "$(id -u)" -eq 0 ] || root=--map-root-user
    isolate="unshare $root --net --mount --pid --fork --kill-child --mount-proc"
    # shellcheck disable=SC2086 # lists of words
    $isolate true || { echo "no namespaces here"; exit 77; }
    SCRATCH=$(mktemp -d)
    export SCRATCH WSFAN_INSIDE=yes
    trap 'rm -rf "$SCRATCH"' EXIT
    # shellcheck disable=SC2086
    $isolate sh "$0" "$@"
    exit 0
fi

ip link set lo up
ip -6 address add fd00::1/128 dev lo
echo 'nameserver 127.0.0.1' >"$SCRATCH/resolv.conf"
mount --bind "$SCRATCH/resolv.conf" /etc/resolv.conf
"$@"
