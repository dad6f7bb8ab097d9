#!/bin/sh
# Proves that the simulator can fail: each file in mutants/ puts one fault into the library, and the
# simulator must find it within a number of seeds.
#   sh tests/sim/mutants.sh BUILD-FOLDER [SEEDS] [MUTANT...]
# CC and CFLAGS as usual.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
seeds=${2:-200}
shift
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- $(cd "$root/tests/sim/mutants" && ls ./*.patch | sed 's|^\./||; s|\.patch$||')

modules="error hash buffer table deque queue receipt endpoint guard message wire registry interest
link results greet route sender receiver core members"
flags="-std=c11 -D_GNU_SOURCE -O1 ${CFLAGS-} -I$root/include -I$root/tests/sim"
libraries=$(pkg-config --libs libsodium && { pkg-config --libs msgpack-c || pkg-config --libs msgpack; } 2>/dev/null)
rm -rf "$build"
mkdir -p "$build"

# compile LIB-FOLDER SOURCE OBJECT
compile() {
    # shellcheck disable=SC2086 # lists of words
    ${CC:-cc} $flags -I"$1" -c "$2" -o "$3"
}

for module in $modules; do
    compile "$root/lib" "$root/lib/$module.c" "$build/$module.o" || exit 1
done
for module in world ledger hosts faults sim main; do
    compile "$root/lib" "$root/tests/sim/$module.c" "$build/sim-$module.o" || exit 1
done

# link FOLDER: its own objects before the sound ones
link() {
    objects=$(ls "$build"/sim-*.o)
    for module in $modules; do
        if [ -f "$1/$module.o" ]; then objects="$objects $1/$module.o"; else objects="$objects $build/$module.o"; fi
    done
    # shellcheck disable=SC2086
    ${CC:-cc} $objects -o "$1/wsfan-sim" $libraries
}

# The same build without a fault finds nothing.
failed=
mkdir "$build/none"
link "$build/none" && "$build/none/wsfan-sim" --seeds 1..20 >"$build/none/log" 2>&1 ||
    { echo "without a fault: not sound"; cat "$build/none/log"; failed=1; }

for mutant in "$@"; do
    tree=$build/$mutant
    mkdir -p "$tree"
    cp -r "$root/lib" "$tree/lib"
    if ! patch -s -d "$tree" -p1 <"$root/tests/sim/mutants/$mutant.patch"; then
        echo "$mutant: does not fit the source any more"
        failed=1
        continue
    fi
    source=$(sed -n 's|^+++ b/||p' "$root/tests/sim/mutants/$mutant.patch")
    module=$(basename "$source" .c)
    compile "$tree/lib" "$tree/$source" "$tree/$module.o" && link "$tree" || { failed=1; continue; }
    # A fault may also end in an assertion, or never end.
    timeout 120 "$tree/wsfan-sim" --seeds "1..$seeds" --stop >"$tree/log" 2>&1
    status=$?
    seed=$(sed -n 's/^seed \([0-9]*\) failed.*/\1/p' "$tree/log" | head -n 1)
    if [ "$status" -eq 1 ] && [ -n "$seed" ]; then
        printf '%-24s found by seed %s: %s\n' "$mutant" "$seed" "$(sed -n 's/^  at [0-9]* ms: //p' "$tree/log" | head -n 1)"
    elif [ "$status" -gt 128 ]; then
        printf '%-24s found: ended by signal %s\n' "$mutant" $((status - 128))
    else
        printf '%-24s NOT found by seeds 1..%s (status %s)\n' "$mutant" "$seeds" "$status"
        failed=1
    fi
done
[ -z "$failed" ]
