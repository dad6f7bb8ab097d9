#!/bin/sh
# Fuzzes every target at the same time, each for so long, from the committed corpus on:
#   sh tests/fuzz/run.sh [--seconds N] [--jobs N] [--keep] [TARGET...]
#
# Builds below build/fuzz with clang, AddressSanitizer and UndefinedBehaviorSanitizer. Prints how
# many executions each target had; an input that fails is left in build/fuzz/found, and the status is
# 1. --keep merges what was found into the committed corpus, minimized.
set -u
cd "$(dirname "$0")/../.." || exit 1
here=tests/fuzz
build=build/fuzz
seconds=60
jobs=$(nproc)
keep=
targets=
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) seconds=$2; shift ;;
    --jobs) jobs=$2; shift ;;
    --keep) keep=yes ;;
    -*) echo "usage: run.sh [--seconds N] [--jobs N] [--keep] [TARGET...]" >&2; exit 2 ;;
    *) targets="$targets $1" ;;
    esac
    shift
done
[ -n "$targets" ] || targets=$(ls $here/corpus)

mkdir -p $build/found
# shellcheck disable=SC2046 # a list of words
if ! { cmake -S . -B $build -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DWSFAN_FUZZ=ON -DWSFAN_BUILD_BENCH=OFF -DWSFAN_SANITIZE=fuzzer-no-link,address,undefined &&
    cmake --build $build --parallel "$jobs" -- $(for t in $targets; do echo "fuzz_$t"; done); } \
    >$build/build.log 2>&1; then
    tail -20 $build/build.log
    exit 1
fi

# fuzz TARGET: new inputs go to a folder of the build, the committed ones are only read
fuzz() {
    mkdir -p "$build/corpus/$1"
    "$build/tests/fuzz/fuzz_$1" -max_total_time="$seconds" -max_len=1024 -timeout=20 \
        -rss_limit_mb=2048 -artifact_prefix="$build/found/$1-" "$build/corpus/$1" \
        "$here/corpus/$1" >"$build/$1.log" 2>&1
    echo $? >"$build/$1.status"
}

for target in $targets; do
    rm -f "$build/$target.status"
    fuzz "$target" &
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
