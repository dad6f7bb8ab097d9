#!/bin/sh
# What is slow and rarely breaks, and of which tests/run.sh does less or nothing:
#   sh tests/long.sh [PART...]
#
#   seeds          the simulator, with some ten times the seeds of run.sh                      half an hour on two cores
#   faults         each of tests/sim/mutants, looked for from the first seed on, and which
#                  seed finds it noted in its patch                                            10 minutes
#   coverage       which lines of lib the unit, discovery and fuzz tests and the simulator run   5 minutes
#   reproducible   two builds in two places: the same bytes                                   a minute
#   fuzz           each target for half an hour, then for as long with sanitizers              an hour
#   soak           real processes under every fault: clusters of a minute, and one of an hour  two hours
#   storm          the example servers under hostile bytes                                     an hour
#   packages       tests/packages.sh: the packages and the source release on Debian 12 and 13  half an hour
#   distributions  tests/distributions.sh: other distributions and machines                    some hours
#
# Without a PART all of them, one after the other. Builds below build/long; tells what fails, with the command that repeats it,
# and ends with 1 then.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=examples/debian.sh
. examples/debian.sh

jobs=$(nproc)
build=build/long
simulator=$build/tests/sim

build_simulator() {
    # shellcheck disable=SC2046,SC2086 # lists of words
    need_packages $echo_chat_packages libczmq-dev libsqlite3-dev libnats-dev check patch dnsmasq-base nftables \
        $(node_packages) || return 1
    mkdir -p "$build"
    { cmake -S . -B "$build" -DWSFAN_BUILD_BENCH=OFF &&
        cmake --build "$build" --parallel "$jobs" --target wsfan-sim wsfan-sim-small wsfan_static; } \
        >"$build.log" 2>&1 || { tail -n 20 "$build.log"; return 1; }
}

# simulate PROGRAM FIRST LAST [OPTION...]: in parts of 250 seeds, one for each processor at a time
simulate() {
    echo "$*"
    # shellcheck disable=SC2016 # words of the inner shell
    seq "$2" 250 "$3" | xargs -P "$jobs" -I '{}' sh -c 'program=$1 first=$2 last=$(($2 + 249))
        [ $last -lt "$5" ] || last=$5
        shift 5
        exec "$program" --seeds "$first..$last" "$@" >/dev/null' simulate "$simulator/$1" '{}' "$@"
}

part_seeds() {
    build_simulator || return 1
    status=0
    simulate wsfan-sim 401 20000 || status=1
    simulate wsfan-sim 151 3000 --returns || status=1
    simulate wsfan-sim 3 8 --nodes 70 || status=1
    simulate wsfan-sim-small 101 3000 || status=1
    return $status
}

# objects TARGET...: what it is linked from, as mutants.sh wants it
objects() {
    for target in "$@"; do
        find "$simulator/CMakeFiles/$target.dir" -name '*.o'
    done | tr '\n' ';'
}

part_faults() {
    build_simulator || return 1
    sh tests/sim/mutants.sh --anew "$build/mutants" "$build/libwsfan.a" "$(objects wsfan-sim wsfan_world)" &&
        sh tests/sim/mutants.sh --small --anew "$build/mutants" "$simulator/libwsfan_small.a" \
            "$(objects wsfan-sim-small wsfan_world_small)"
}

part_coverage() {
    build_simulator && sh tests/gates.sh coverage "$build"
}

part_reproducible() {
    mkdir -p "$build" && sh tests/gates.sh reproducible "$build"
}

part_fuzz() {
    sh tests/fuzz/run.sh --plain --seconds 1800 && sh tests/fuzz/run.sh --seconds 1800
}

part_soak() {
    sh tests/soak.sh --minutes 60 && sh tests/soak.sh --minutes 60 --each 3600
}

part_storm() {
    sh tests/storm.sh --minutes 60
}

part_packages() {
    sh tests/packages.sh
}

part_distributions() {
    sh tests/distributions.sh
}

parts="seeds faults coverage reproducible fuzz soak storm packages distributions"
# shellcheck disable=SC2086 # a list of words
[ $# -gt 0 ] || set -- $parts
for part in "$@"; do
    case " $parts " in
    *" $part "*) ;;
    *) echo "usage: long.sh [PART...], of: $parts" >&2; exit 2 ;;
    esac
done
failed=
for part in "$@"; do
    echo "=== $part"
    "part_$part" || failed="$failed $part"
done
[ -z "$failed" ] || {
    echo "failed:$failed" >&2
    exit 1
}
