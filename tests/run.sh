#!/bin/sh
# Builds and tests everything: sh tests/run.sh [CTEST-ARGUMENT...]
#
# Installs what is missing (Debian). Three builds below build/: plain with all tests, and the tests again under
# AddressSanitizer with UndefinedBehaviorSanitizer, by clang for its warnings, and under ThreadSanitizer, but for
# those of which a sanitizer tells nothing more: gates, packages and browsers under either, programs of one thread
# under ThreadSanitizer. Besides, every fuzz target runs for a minute. For more of what is slow and rarely breaks:
# tests/long.sh
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=examples/debian.sh
. examples/debian.sh

# shellcheck disable=SC2046,SC2086 # lists of words
need_packages $echo_chat_packages libwebsockets-dev libcivetweb-dev libwslay-dev libsoup-3.0-dev patch \
    libczmq-dev libsqlite3-dev check clang g++ \
    libevent-dev libev-dev libglib2.0-dev \
    libclang-rt-dev clang-tidy cppcheck valgrind abigail-tools doxygen cmark-gfm openssl \
    haproxy nginx-light chromium prometheus systemtap-sdt-dev \
    util-linux iproute2 nftables dnsmasq-base python3-websockets \
    groff-base mandoc zsh \
    libhiredis-dev libnats-dev redis-server nats-server curl \
    $(node_packages) || exit 1

jobs=$(nproc)
failed=

# build NAME [CMAKE-ARGUMENT...]
build() {
    name=$1
    shift
    log=build/$name.log
    mkdir -p build
    if ! { cmake -S . -B "build/$name" -DWSFAN_DEVELOPER=ON "$@" &&
        cmake --build "build/$name" --parallel "$jobs"; } >"$log" 2>&1; then
        echo "build $name failed:"
        grep -E -A5 '(error|Error)(:| )' "$log" || cat "$log"
        failed="$failed build:$name"
        return 1
    fi
}

# test_build NAME [CTEST-ARGUMENT...]
# Most tests wait more than they work: of so many at a time one for each processor works (tests/CMakeLists.txt).
test_build() {
    name=$1
    shift
    echo "=== $name"
    ctest --test-dir "build/$name" --output-on-failure --parallel $((2 * jobs + 1)) \
        --resource-spec-file "$PWD/build/workers.json" "$@" </dev/null ||
        failed="$failed test:$name"
}

# sanitized NAME SANITIZERS COMPILER [CTEST-ARGUMENT...]
# -O1 as the manuals of the sanitizers advise: twice as fast. With sanitizers, gcc warns of truncation that is not so.
sanitized() {
    name=$1
    sanitizers=$2
    compiler=$3
    shift 3
    build "$name" -DCMAKE_BUILD_TYPE=Debug \
        -DCMAKE_C_FLAGS_DEBUG="-O1 -g -Wno-unknown-warning-option -Wno-format-truncation" \
        -DCMAKE_C_COMPILER="$compiler" -DWSFAN_SANITIZE="$sanitizers" && test_build "$name" "$@"
}

# The fuzz targets run beside all of this, and take what processor time is left.
mkdir -p build
printf '{"version": {"major": 1, "minor": 0}, "local": [{"workers": [{"id": "0", "slots": %d}]}]}' "$jobs" \
    >build/workers.json
nice -n 19 sh tests/fuzz/run.sh --seconds 60 >build/fuzz.txt 2>&1 &
fuzz=$!

sanitized asan address,undefined clang "$@"
sanitized tsan thread gcc "$@"
build plain

echo "=== fuzz"
wait $fuzz || failed="$failed fuzz"
cat build/fuzz.txt

[ ! -d build/plain ] || test_build plain "$@"

[ -z "$failed" ] || {
    echo "failed:$failed" >&2
    exit 1
}
