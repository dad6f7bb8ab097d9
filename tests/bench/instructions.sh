#!/bin/sh
# Counts the instructions outside the kernel for each message of 128 bytes, of the publisher and two
# subscribers, by callgrind:
#   sh tests/bench/instructions.sh WSFAN-BENCH [path [OPTION...]]
#                                       in one process, and by function: the median of rounds
#   sh tests/bench/instructions.sh WSFAN-BENCH relay [OPTION...]
#                                       in three processes: 60,000 messages less 20,000
#   sh tests/bench/instructions.sh WSFAN-BENCH gate
#                                       path, with the options and figures in instructions.txt beside this script
# OPTION: --chats N, --split; of path also --history.
#
# A publisher that sends by itself is not switched off. The three processes of `relay` are as fast beside each
# other as the machine lets them, so its figure varies by some 5 %; that of `path` by less than 1 %.
# Exit status: 0; 1 where something did not work, or at the gate a figure is more than 5 % above the one that
# is stored; 77 without valgrind.
set -eu
stored=$(dirname "$0")/instructions.txt
bench=$1
what=${2:-path}
shift $(($# < 2 ? $# : 2))
command -v valgrind >/dev/null || { echo "no valgrind"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# count NAME OPTION... -- ARGUMENT...: profiles are $work/NAME.PID, with .1, .2 ... for the parts of one
count() {
    name=$1
    shift
    valgrind --tool=callgrind --fair-sched=try --callgrind-out-file="$work/$name.%p" "$@" \
        >"$work/$name.log" 2>&1 & parent=$!
    wait "$parent" || { cat "$work/$name.log"; exit 1; }
}

total() {
    sed -n 's/^totals: //p' "$1"
}

# The costs of a profile, "INSTRUCTIONS FUNCTION OBJECT". callgrind_annotate takes calls that began in an earlier
# part for costs of the caller itself.
functions() {
    awk '
        function named(text) { # "(number) name" the first time, later "(number)"
            match(text, /^\([0-9]+\)/)
            return substr(text, 1, RLENGTH)
        }
        /^ob=/ { object = named(substr($0, 4)) }
        /^c?ob=/ && /\) / { text = $0; sub(/^c?ob=/, "", text); key = named(text)
            sub(/^.*\//, "", text); sub(/\.so.*/, "", text); objects[key] = text }
        /^fn=/ { function_now = named(substr($0, 4)) }
        /^c?fn=/ && /\) / { text = $0; sub(/^c?fn=/, "", text); key = named(text)
            sub(/^[^ ]* /, "", text); names[key] = text }
        /^calls=/ { getline; next } # what the callee cost
        /^[0-9+*-]/ { costs[object " " function_now] += $2 }
        END { for (k in costs) { split(k, part, " ")
              print costs[k], names[part[2]], objects[part[1]] } }' "$1"
}

# --------------------------------------------------------------------------------------- one process

# A part is written as each round begins: the first has what went before, the second and the third are warm-up,
# and the last, of which the end of the process is part, has no number.
ROUNDS=20
MESSAGES=10000
count_path() {
    rm -f "$work"/path.*
    count path --dump-before='play_round*' "$bench" path --runs $ROUNDS "$@"
    for part in "$work/path.$parent".*; do
        [ "${part##*.}" -le 3 ] || echo "$(total "$part") $part"
    done | sort -n >"$work/rounds"
    [ "$(wc -l <"$work/rounds")" -eq $((ROUNDS - 3)) ] || { echo "rounds are missing"; exit 1; }
    awk -v messages=$MESSAGES '{ value[NR] = $1 / messages; part[NR] = $2 }
        END { middle = int((NR + 1) / 2)
              printf "%.0f %.0f %.0f %s\n", value[middle], value[1], value[NR], part[middle] }' \
        "$work/rounds" >"$work/median"
    read -r instructions least greatest median_part <"$work/median"
    echo "instructions for each message: $instructions (rounds: $least to $greatest)"
}

by_function() {
    functions "$median_part" | awk -v messages=$MESSAGES '
        { object = $NF; cost = $1 / messages; $1 = $NF = ""
          objects[object] += cost; all[$0 "(" object ")"] += cost }
        END { for (o in objects) if (objects[o] >= 1) printf "%8.0f  in %s\n", objects[o], o | "sort -rn"
              close("sort -rn"); print ""
              for (f in all) if (all[f] >= 10) printf "%8.0f %s\n", all[f], f | "sort -rn" }'
}

# The first line of instructions.txt names the compiler.
gate() {
    dear=0
    { read -r _; cat; } <"$stored" >"$work/stored"
    while read -r allowed options; do
        # shellcheck disable=SC2086 # a list of words
        count_path $options
        echo "stored: $allowed ${options:-one chat}"
        [ $((instructions * 100)) -le $((allowed * 105)) ] || { echo "more than 5 % above it"; dear=1; }
        [ $((instructions * 100)) -ge $((allowed * 95)) ] || echo "below it: store the new figure"
    done <"$work/stored"
    return $dear
}

# ----------------------------------------------------------------------------------- three processes

# The parent, which only waits, is not counted.
count_relay() {
    name=$1
    count "$name" "$bench" relay --against "" --runs 1 --messages "$@"
    sum=0
    for profile in "$work/$name".[0-9]*; do
        [ "$profile" = "$work/$name.$parent" ] || sum=$((sum + $(total "$profile")))
    done
}

case $what in
path) count_path "$@"; by_function ;;
gate) gate ;;
relay)
    count_relay 60000 "$@"
    more=$sum
    count_relay 20000 "$@"
    echo "instructions for each message, three processes: $(((more - sum) / 40000))" ;;
*) sed -n '2,11p' "$0"; exit 2 ;;
esac
