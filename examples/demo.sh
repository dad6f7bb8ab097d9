#!/bin/sh
# Three replicas of echo-chat behind HAProxy: sh examples/demo.sh [--kill] [PORT]
#
# Installs what is missing (Debian), builds into build/demo, prints one address to open, and runs
# until Ctrl-C. PORT, or the environment variable of that name, is where to listen [8080].
# With --kill one replica after another is killed, and brought back; PAUSE, of the environment, is how many
# seconds pass between [8].
# shellcheck disable=SC2317 # functions that traps and within_10s call
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=examples/debian.sh
. examples/debian.sh

kills=false
[ "${1-}" != --kill ] || { kills=true && shift; }
port=${1:-${PORT:-8080}}
pause=${PAUSE:-8}
sleeper=
program=build/demo/examples/echo-chat/echo-chat
run=build/demo/run-$$
replicas=

fail() {
    echo "demo: $*" >&2
    exit 1
}

# within_10s COMMAND...: until it succeeds
within_10s() {
    tries=100
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

# In a container nobody may ask for the exit status of a daemon: a zombie is gone too.
is_gone() {
    ! kill -0 "$1" 2>/dev/null || grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"
}

# Whatever the way out, nothing that was started stays.
stop() {
    trap - EXIT
    trap '' INT TERM HUP PIPE
    [ -z "$sleeper" ] || kill "$sleeper" 2>/dev/null || true
    # Replicas first: each tells its clients to go elsewhere.
    for pid in $replicas; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in $replicas; do
        wait "$pid" 2>/dev/null || true
    done
    if [ -s "$run/haproxy.pid" ]; then
        pid=$(cat "$run/haproxy.pid")
        kill "$pid" 2>/dev/null || true
        within_10s is_gone "$pid" || kill -9 "$pid"
    fi
    rm -rf "$run"
}

is_ready_or_gone() {
    grep -qs '^ready: ' "$run/$name.log" || is_gone "$pid"
}

# where_is NAME: sets $address and $mesh of a replica that is, or was, ready
where_is() {
    address=$(sed -n 's|^ready: .* page http://\([^/]*\)/, mesh .*|\1|p' "$run/$1.log")
    mesh=$(sed -n 's|^ready: .* mesh ||p' "$run/$1.log")
}

# start NAME [FLAG...]: sets $address and $mesh of a replica that is ready
start() {
    name=$1
    shift
    "$program" --listen 127.0.0.1:0 --mesh 'tcp://127.0.0.1:*' --name "$name" \
        --history 300 --history-key "$run/history.key" "$@" \
        >"$run/$name.log" 2>&1 &
    pid=$!
    replicas="$replicas $pid"
    echo "$pid" >"$run/$name.pid"
    within_10s is_ready_or_gone || fail "$name is not ready after 10 s"
    ! is_gone "$pid" || fail "$name ended: $(cat "$run/$name.log")"
    where_is "$name"
    echo "  $name  http://$address  mesh $mesh  pid $pid"
}

# A signal ends it at once.
rest() {
    sleep "$pause" &
    sleeper=$!
    wait "$sleeper"
    sleeper=
}

# kill_and_return NAME OTHER: where it was, introduced by OTHER
kill_and_return() {
    where_is "$2"
    other=$mesh
    where_is "$1"
    pid=$(cat "$run/$1.pid")
    echo "kill -9 of $1: its tabs go elsewhere"
    kill -9 "$pid" || fail "$1 has ended by itself"
    { wait "$pid"; } 2>/dev/null || true
    replicas=$(echo "$replicas " | sed "s/ $pid / /")
    rest
    echo "$1 comes back:"
    start "$1" --listen "$address" --mesh "$mesh" --join "$other"
}

build() {
    cmake -S . -B build/demo -DCMAKE_BUILD_TYPE=Release -DWSFAN_BUILD_TESTS=OFF \
        -DWSFAN_BUILD_EXAMPLES=ON && cmake --build build/demo --parallel --target echo-chat
}

balance() {
    export CHAT_BIND="127.0.0.1:$port" CHAT_ALPHA="$alpha" CHAT_BETA="$beta" CHAT_GAMMA="$gamma"
    # Debian has it in /usr/sbin, which is not on the PATH of every user. As a daemon it returns
    # when it listens, or with an error.
    PATH=$PATH:/usr/sbin haproxy -D -p "$run/haproxy.pid" -f examples/haproxy.cfg
}

case $port in
'' | *[!0-9]* | 0* | ??????*) valid=false ;;
*) [ "$port" -le 65535 ] && valid=true || valid=false ;;
esac
$valid || fail "the port must be a number from 1 to 65535, not '$port'"
# shellcheck disable=SC2086 # a list of words
need_packages $echo_chat_packages haproxy

mkdir -p "$run"
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
trap 'exit 141' PIPE

echo "building into build/demo ..."
build >"$run/build.log" 2>&1 || fail "the build failed: $(cat "$run/build.log")"

# A secret of all replicas; theirs alone, as the file is.
(umask 077 && od -An -N 24 -tx1 /dev/urandom | tr -d ' \n' >"$run/history.key")
[ -s "$run/history.key" ] || fail "no key could be made for --history"

echo "three replicas, of which only the first is named to the others:"
start alpha
alpha=$address
first=$mesh
start beta --join "$first"
beta=$address
start gamma --join "$first"
gamma=$address

if ! balance >"$run/haproxy.log" 2>&1; then
    grep -q 'Address already in use' "$run/haproxy.log" &&
        fail "port $port is in use; choose another: sh examples/demo.sh PORT"
    fail "HAProxy does not start: $(cat "$run/haproxy.log")"
fi

echo "  haproxy  http://127.0.0.1:$port  pid $(cat "$run/haproxy.pid")"
echo
echo "  open http://127.0.0.1:$port/ in three tabs: each is on another replica, in one chat"
$kills || echo "  kill -9 one of the replicas: its tab reconnects elsewhere by itself, and misses nothing"
echo "  Ctrl-C, or SIGTERM, ends everything"
while $kills; do
    rest
    kill_and_return beta alpha
    rest
    kill_and_return gamma beta
    rest
    kill_and_return alpha gamma
done
wait
fail "all replicas have ended"
