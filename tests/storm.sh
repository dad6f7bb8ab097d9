#!/bin/sh
# The example servers under hostile bytes for as long as one likes, built with ASan and UBSan, beside clients that keep
# to the rules and must miss nothing; tests/cluster/storm.mjs says what is sent and what must hold:
#   sh tests/storm.sh --minutes M [--seed S]
# Installs what is missing (Debian, npm) and builds below build/storm, unless $ECHO_CHAT and $THIN_CLIENT are servers
# that are built already. Everything is on loopback, and ends with it.
set -eu
cd "$(dirname "$0")/.."

minutes=
seed=$(date +%s)
while [ $# -gt 1 ]; do
    case $1 in
    --minutes) minutes=$2 ;;
    --seed) seed=$2 ;;
    *) break ;;
    esac
    shift 2
done
if [ $# -gt 0 ] || [ -z "$minutes" ]; then
    echo "usage: storm.sh --minutes M [--seed S]" >&2
    exit 2
fi

# shellcheck source=examples/debian.sh
. examples/debian.sh
# shellcheck disable=SC2046,SC2086 # lists of words
need_packages $echo_chat_packages $(node_packages) openssl
(cd tests/cluster && { [ -d node_modules ] || npm ci --loglevel=error --no-audit --no-fund; })
if [ -z "${ECHO_CHAT-}" ] || [ -z "${THIN_CLIENT-}" ]; then
    mkdir -p build
    { cmake -S . -B build/storm -DWSFAN_SANITIZE=address,undefined &&
        cmake --build build/storm --parallel --target echo-chat thin-client; } >build/storm.log 2>&1 || {
        cat build/storm.log
        exit 1
    }
    ECHO_CHAT=$PWD/build/storm/examples/echo-chat/echo-chat
    THIN_CLIENT=$PWD/build/storm/examples/thin-client/thin-client
    export ECHO_CHAT THIN_CLIENT
fi
exec node tests/cluster/storm.mjs --seconds $((minutes * 60)) --seed "$seed"
