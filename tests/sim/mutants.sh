#!/bin/sh
# Proves that the simulator can fail: each file in mutants/ puts one fault into the library, and the
# simulator must find it within a number of seeds.
#   sh tests/sim/mutants.sh [--small] [--anew] BUILD-FOLDER LIBRARY SIMULATOR-OBJECTS [SEEDS [MUTANT...]]
# LIBRARY is libwsfan.a, SIMULATOR-OBJECTS a list of what wsfan-sim is linked from, separated by
# semicolons. CC and CFLAGS as usual. --small: those in mutants/small, which only wsfan-sim-small finds, or
# finds much sooner; LIBRARY and SIMULATOR-OBJECTS are those of it. The patch of a fault that takes many seeds says
# which one found it: that is tried before all others. After a change of the library it may be another run, which finds nothing; --anew
# tries the seeds in their order, and writes into the patches what found them. The patch of a fault that only clients that come back
# see says with which option. A seed that the simulator without a fault does not pass finds nothing.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
mutants=$root/tests/sim/mutants
if [ "$1" = --small ]; then
    mutants=$mutants/small
    CFLAGS="${CFLAGS-} -DWSF_SMALL_TABLES"
    shift
fi
anew=
if [ "$1" = --anew ]; then
    anew=1
    shift
fi
build=$1 library=$2 objects=$(printf '%s' "$3" | tr ';' ' ') seeds=${4:-2000}
shift $(($# < 4 ? $# : 4))
[ $# -gt 0 ] || set -- $(cd "$mutants" && ls ./*.patch | sed 's|^\./||; s|\.patch$||')

flags="-std=c11 -D_GNU_SOURCE -O1 ${CFLAGS-} -I$root/include"
libraries=$(pkg-config --libs libsodium && { pkg-config --libs msgpack-c || pkg-config --libs msgpack; } 2>/dev/null)
rm -rf "$build"
mkdir -p "$build"

# link FOLDER [OBJECT]: an object stands before the library, which then need not give that module.
link() {
    # shellcheck disable=SC2086 # lists of words
    ${CC:-cc} $objects ${2-} "$library" $libraries -o "$1/wsfan-sim"
}

# The same build without a fault finds nothing: in few seeds, as sim_seeds and the like run the same objects.
failed=
mkdir "$build/none"
link "$build/none" || exit 1
for option in '' $(cd "$mutants" && sed -n 's/^Looked for with \(--[a-z]*\)\.$/\1/p' ./*.patch | sort -u); do
    # shellcheck disable=SC2086 # nothing, or a word
    "$build/none/wsfan-sim" --seeds 1..2 $option >"$build/none/log" 2>&1 ||
        { echo "without a fault: not sound"; cat "$build/none/log"; exit 1; }
done

# look FIRST LAST: sets $status, which is 0 when these seeds find nothing. A fault may also end in an assertion, or never end: the
# seeds of none take so long.
look() {
    timeout 600 "$tree/wsfan-sim" --seeds "$1..$2" --stop ${option:+"$option"} >"$tree/log" 2>&1
    status=$?
}

# is_sound SEED: passes without the fault
is_sound() {
    "$build/none/wsfan-sim" --seeds "$1..$1" ${option:+"$option"} >"$build/none/log" 2>&1
}

# find FIRST LAST: looks, and goes on behind a seed that fails without the fault, too; sets $status and $seed, which is empty where a
# signal ended the simulator
find() {
    first=$1
    while look "$first" "$2"; seed=$(sed -n 's/^seed \([0-9]*\) failed.*/\1/p' "$tree/log" | head -n 1)
        [ "$status" -eq 1 ] && [ -n "$seed" ] && ! is_sound "$seed"; do
        echo "$mutant: seed $seed fails without the fault, too"
        first=$((seed + 1)) status=0
        [ "$first" -le "$2" ] || return
    done
}

# note SEED: in the patch, when it is worth it
note() {
    line=
    [ "$1" -lt 10 ] || line="Found by seed $1.\\n"
    sed -i -e '/^Found by seed/d' -e "0,/^\$/s//$line/" "$mutants/$mutant.patch"
}

for mutant in "$@"; do
    tree=$build/$mutant
    source=$(sed -n 's|^+++ b/||p' "$mutants/$mutant.patch")
    mkdir -p "$tree/${source%/*}"
    cp "$root/$source" "$tree/$source"
    if ! patch -s -d "$tree" -p1 <"$mutants/$mutant.patch"; then
        echo "$mutant: does not fit the source any more"
        failed=1
        continue
    fi
    # shellcheck disable=SC2086
    if ! { ${CC:-cc} $flags -I"$root/lib" -c "$tree/$source" -o "$tree/fault.o" &&
        link "$tree" "$tree/fault.o"; }; then
        echo "$mutant: does not build"
        failed=1
        continue
    fi
    known=$(sed -n 's/^Found by seed \([0-9]*\)\.$/\1/p' "$mutants/$mutant.patch")
    option=$(sed -n 's/^Looked for with \(--[a-z]*\)\.$/\1/p' "$mutants/$mutant.patch")
    status=0
    [ -n "$anew" ] || [ -z "$known" ] || find "$known" "$known"
    [ "$status" -ne 0 ] || find 1 "$seeds"
    if [ "$status" -eq 1 ] && [ -n "$seed" ]; then
        [ -z "$anew" ] || note "$seed"
        printf '%-24s found by seed %s: %s\n' "$mutant" "$seed" "$(sed -n 's/^  at [0-9]* ms: //p' "$tree/log" | head -n 1)"
    elif [ "$status" -gt 128 ]; then
        printf '%-24s found: ended by signal %s\n' "$mutant" $((status - 128))
    else
        printf '%-24s NOT found by seeds 1..%s (status %s)\n' "$mutant" "$seeds" "$status"
        failed=1
    fi
done
[ -z "$failed" ]
