#!/bin/sh
# Measures everything: sh tests/bench/run.sh [OPTION-OF-WSFAN-BENCH...]
#
# Installs what is missing (Debian), builds build/bench (Release), and writes one JSON file for each
# measurement and the plots into build/bench/results. Takes about ten minutes; --quick one minute,
# but then its figures mean nothing. Nothing else should be running.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=examples/debian.sh
. examples/debian.sh

build=build/bench
results=$build/results
bench=$build/tests/bench/wsfan-bench

# The programs of these two packages, and node, are started by the benchmark, each for as long as it needs it.
# shellcheck disable=SC2086 # a list of words
need_packages $echo_chat_packages libhiredis-dev libnats-dev redis-server nats-server gnuplot-nox \
    $(node_packages)

mkdir -p "$results"
echo "building into $build ..."
{ cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DWSFAN_BUILD_TESTS=OFF \
    -DWSFAN_BUILD_EXAMPLES=ON -DWSFAN_BUILD_BENCH=ON &&
    cmake --build "$build" --parallel; } >"$build/build.log" 2>&1 || {
    cat "$build/build.log"
    exit 1
}

# measure NAME COMMAND [OPTION...]: an option that is given to this script counts more
measure() {
    name=$1
    shift
    echo "$name: wsfan-bench $*"
    "$bench" "$@" --json >"$results/$name.json"
}

for size in 16 128 1024 16384 262144; do
    measure "relay-$size" relay --size "$size" "$@"
done
for chats in 100 1000; do
    measure "chats-$chats" relay --chats "$chats" "$@"
done
measure split relay --chats 100 --split "$@"
measure publishers relay --publishers 4 "$@"
for size in 128 1024 262144 1048576; do
    measure "curve-$size" relay --size "$size" --curve "$@"
done
for command in latency fanout registry interest idle history; do
    measure "$command" "$command" "$@"
done
socket_io=
if (cd tests/bench/socket_io && npm ci --loglevel=error --no-audit --no-fund); then
    socket_io=--socket-io
else
    echo "websocket: not against Socket.IO, which npm does not bring" >&2
fi
measure websocket websocket $socket_io "$@"
sh tests/bench/plot.sh "$results"
echo "done: $results"
