#!/bin/sh
# Fuzzes every target at the same time, each for so long, from the committed corpus on:
#   sh tests/fuzz/run.sh [--seconds N] [--jobs N] [--plain] [--keep] [TARGET...] [-- OPTION...]
#
# Builds below build/fuzz with clang, AddressSanitizer and UndefinedBehaviorSanitizer; --plain: below
# build/fuzz-plain without them, which is several times as fast; a run with them begins with what it
# found. Prints how many executions each target had; an input that fails is left in `found` there, and
# the status is 1. --keep merges what was found into the committed corpus, minimized. What follows --
# goes to libFuzzer.
set -u
cd "$(dirname "$0")/../.." || exit 1
here=tests/fuzz
plain=build/fuzz-plain
build=build/fuzz
sanitizers=fuzzer-no-link,address,undefined
flags=
seconds=60
jobs=$(nproc)
keep=
targets=
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) seconds=$2; shift ;;
    --jobs) jobs=$2; shift ;;
    --plain) build=$plain sanitizers= flags=-fsanitize-coverage=inline-8bit-counters,pc-table ;;
    --keep) keep=yes ;;
    --) shift; break ;;
    -*) echo "usage: run.sh [--seconds N] [--jobs N] [--plain] [--keep] [TARGET...] [-- OPTION...]" >&2
        exit 2 ;;
    *) targets="$targets $1" ;;
    esac
    shift
done
[ -n "$targets" ] || targets=$(ls $here/corpus)

# shellcheck source=examples/debian.sh
. examples/debian.sh
# shellcheck disable=SC2086 # a list of words
need_packages $echo_chat_packages clang libclang-rt-dev || exit 1

mkdir -p $build/found
# shellcheck disable=SC2046 # a list of words
if ! { cmake -S . -B $build -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_C_FLAGS_RELWITHDEBINFO="-O2 -g $flags" -DWSFAN_FUZZ=ON -DWSFAN_BUILD_BENCH=OFF \
    -DWSFAN_SANITIZE=$sanitizers &&
    cmake --build $build --parallel "$jobs" -- $(for t in $targets; do echo "fuzz_$t"; done); } \
    >$build/build.log 2>&1; then
    tail -20 $build/build.log
    exit 1
fi

# fuzz TARGET [OPTION...]: new inputs go to a folder of the build, the others are only read
fuzz() {
    target=$1
    shift
    mkdir -p "$build/corpus/$target" "$plain/corpus/$target"
    "$build/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=1024 -timeout=20 \
        -rss_limit_mb=2048 -artifact_prefix="$build/found/$target-" "$@" "$build/corpus/$target" \
        "$here/corpus/$target" "$plain/corpus/$target" >"$build/$target.log" 2>&1
    echo $? >"$build/$target.status"
}

for target in $targets; do
    rm -f "$build/$target.status"
    fuzz "$target" "$@" &
done
wait
status=0
for target in $targets; do
    runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$build/$target.log")
    if [ "$(cat "$build/$target.status")" = 0 ] && [ -n "$runs" ]; then
        echo "$target: $runs executions, nothing found"
    else
        echo "$target: FAILED"
        tail -30 "$build/$target.log"
        status=1
    fi
    [ -z "$keep" ] || "$build/tests/fuzz/fuzz_$target" -merge=1 "$here/corpus/$target" \
        "$build/corpus/$target" >>"$build/$target.log" 2>&1
done
exit $status
