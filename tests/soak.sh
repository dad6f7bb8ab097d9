#!/bin/sh
# Real processes for as long as one likes, under faults of network, names, clocks and processes;
# docs/reliability.md says which, and what is checked:
#   sh tests/soak.sh --minutes M [--each SECONDS] [--seed S] [--nodes N] [--only FAULT,FAULT...]
#       [--naming addresses|two|dns|names|service] [--keys none|shared|each] [--verbose]
# Installs what is missing (Debian) and builds below build/soak, unless $WSFAN_SOAK is a wsfan-soak that
# is built already. Everything that it starts ends with it, the networks too. Exits 77 (skipped) only
# where namespaces or TUN devices are not allowed.
set -eu
cd "$(dirname "$0")/.."

program=${WSFAN_SOAK-}
if [ -z "$program" ]; then
    # shellcheck source=examples/debian.sh
    . examples/debian.sh
    # shellcheck disable=SC2046,SC2086 # lists of words
    need_packages $echo_chat_packages libczmq-dev libsqlite3-dev libhiredis-dev \
        libnats-dev check util-linux iproute2 dnsmasq-base $(node_packages)
    mkdir -p build
    { cmake -S . -B build/soak &&
        cmake --build build/soak --parallel --target wsfan-soak; } >build/soak.log 2>&1 || {
        cat build/soak.log
        exit 1
    }
    program=build/soak/tests/cluster/wsfan-soak
fi

root=
[ "$(id -u)" -eq 0 ] || root=--map-root-user
isolate="unshare $root --net --mount --pid --fork --kill-child --mount-proc"
# shellcheck disable=SC2086 # lists of words
$isolate true || { echo "no namespaces here"; exit 77; }

# unshare passes no signal on; by --kill-child all that it started ends with it, and it with this shell.
trap 'kill -KILL $!; exit 130' INT TERM HUP
# shellcheck disable=SC2086
setpriv --pdeathsig KILL $isolate "$program" "$@" &
wait $!
