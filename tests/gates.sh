#!/bin/sh
# What the sources and the built library must hold, beside the tests:
#   sh tests/gates.sh GATE BUILD-DIRECTORY
# GATE: cppcheck tidy analyzer coverage hardening abi reproducible probes valgrind instructions. Each prints what is
# wrong, or its figures, and is a ctest of the plain build.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(cd "$2" && pwd) || exit 1
work=$build/gates/$1
rm -rf "$work"
mkdir -p "$work"

# Of the example servers.
examples() {
    find examples/web examples/echo-chat examples/thin-client examples/servers -name '*.c' | sort
}

# Of libwsfan itself.
sources() {
    find lib -name '*.c' ! -path 'lib/beacon/*' ! -path 'lib/nats/*' | sort
}

# ------------------------------------------------------------------------------ static analysis

# Styles of comments about single lines stand in the sources, with their reason. Later versions
# than Debian 12's say of large functions that they do not follow every branch.
gate_cppcheck() {
    cppcheck --enable=warning,performance,portability --inline-suppr --quiet --error-exitcode=1 \
        --std=c11 --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches -D_GNU_SOURCE \
        -D__GNUC__ -Iinclude -Ilib -Iexamples/web \
        lib tools examples/web examples/echo-chat examples/thin-client examples/servers
}

# The checks and why others are not among them: .clang-tidy
gate_tidy() {
    printf '%s\n' $(sources) $(examples) tools/*.c tools/entry/*.c |
        xargs -P 2 -n 4 clang-tidy -p "$build" --quiet >"$work/out" 2>"$work/err" || {
        grep -E 'warning:|error:' "$work/out"
        return 1
    }
}

# What gcc's analyzer says and what is not so. It does not follow a pointer to the first member of a
# struct back to the struct, which is how items own what is in a queue; leaks are what
# LeakSanitizer looks for in every test. What it takes for NULL in link.c and registry.c is a slot
# of an array that has as many as its count says, and for uninitialized in placement.c; in rows.c, bytes of which there are none.
# What gcc 14 takes for uninitialized in node.c and outbound.c is the padding of structs that are copied.
gate_analyzer() {
    for file in $(sources); do
        options=-Wno-analyzer-malloc-leak
        case $file in
        lib/core/link/link.c | lib/loop/registry.c) options="$options -Wno-analyzer-null-dereference" ;;
        lib/api/node.c | lib/core/routing/placement.c | lib/outbound/outbound.c)
            options="$options -Wno-analyzer-use-of-uninitialized-value" ;;
        lib/message/rows.c) options="$options -Wno-analyzer-null-argument" ;;
        esac
        echo "$options $file"
    done | xargs -P 2 -L 1 gcc -std=c11 -D_GNU_SOURCE -O2 -fanalyzer -Iinclude -Ilib -c -o /dev/null \
        >"$work/out" 2>&1
    ! grep -E 'warning:|error:' "$work/out"
}

# ------------------------------------------------------------------------------------- coverage

# What of lib/ the unit tests, the corpora of the fuzz targets, and some seeds of the simulator run.
# Without assertions: the branch in which one fails is one that cannot be taken.
LINES_MIN=95
BRANCHES_MIN=90
gate_coverage() {
    cmake -S . -B "$build/coverage" -DCMAKE_BUILD_TYPE=Debug \
        -DWSFAN_BUILD_BENCH=OFF -DWSFAN_BUILD_SHARED=OFF \
        -DCMAKE_C_FLAGS="--coverage -fprofile-update=atomic -O0 -DNDEBUG" >"$work/log" 2>&1 &&
        cmake --build "$build/coverage" --parallel 2 --target covering >>"$work/log" 2>&1 || {
        tail -20 "$work/log"
        return 1
    }
    find "$build/coverage" -name '*.gcda' -delete
    # Whether they pass is for the other builds to say: without optimization, some are slow.
    # The simulator works while they wait.
    "$build/coverage/tests/sim/wsfan-sim" --seeds 1..40 >"$work/sim" &
    sim=$!
    ctest --test-dir "$build/coverage" -j 4 -L 'unit|fuzz|discovery' >"$work/tests" 2>&1 </dev/null
    wait $sim || return 1
    here=$PWD
    (cd "$work" && find "$build/coverage/CMakeFiles/wsfan_objects.dir/lib" -name '*.gcda' \
        -exec gcov -b '{}' + >summary 2>gcov.log)
    awk -v here="$here/" -v lines_min=$LINES_MIN -v branches_min=$BRANCHES_MIN '
        /^File/ { file = $0; gsub(/^File .|.$/, "", file); sub(here, "", file) }
        /^Lines executed/ && file ~ /^lib\// {
            split($0, part, /[:% ]+/); lines += part[5]; covered += part[3] * part[5] / 100
            line[file] = part[3] }
        /^Taken at least once/ && file ~ /^lib\// {
            split($0, part, /[:% ]+/); branches += part[7]; taken += part[5] * part[7] / 100
            printf "%-24s lines %6.2f %%  branches %6.2f %%\n", file, line[file], part[5]; file = "" }
        END {
            printf "lib/ lines %.2f %% of %d, branches %.2f %% of %d\n", 100 * covered / lines, lines,
                100 * taken / branches, branches
            exit !(lines > 0 && 100 * covered / lines >= lines_min &&
                   100 * taken / branches >= branches_min) }' "$work/summary"
}

# ---------------------------------------------------------------------------------- the library

# As Debian builds: a stack protector, checked calls, relocations that are read-only and bound at
# once, a stack that is not executable.
hardened_library() {
    cmake -S . -B "$1" -DCMAKE_BUILD_TYPE=Release -DWSFAN_BUILD_TESTS=OFF \
        -DWSFAN_BUILD_EXAMPLES=OFF -DWSFAN_HARDEN=ON >"$1.log" 2>&1 &&
        cmake --build "$1" --parallel 2 --target wsfan >>"$1.log" 2>&1 || { tail -20 "$1.log"; return 1; }
}

gate_hardening() {
    hardened_library "$work/build" || return 1
    library=$work/build/libwsfan.so
    readelf -W -d -l "$library" >"$work/elf"
    nm -D "$library" >"$work/symbols"
    failed=0
    grep -q 'BIND_NOW\|FLAGS.*NOW' "$work/elf" || { echo "not bound at once"; failed=1; }
    grep -q GNU_RELRO "$work/elf" || { echo "relocations can be written"; failed=1; }
    grep 'GNU_STACK' "$work/elf" | grep -q 'RW ' || { echo "the stack can be run"; failed=1; }
    grep -q __stack_chk_fail "$work/symbols" || { echo "no stack protector"; failed=1; }
    grep -q '_chk@' "$work/symbols" || { echo "no checked calls"; failed=1; }
    ! grep -q 'TEXTREL' "$work/elf" || { echo "text is relocated"; failed=1; }
    return $failed
}

# The ABI of the last release is in the tree; it may grow, not change. After a release:
#   abidw --exported-interfaces-only --out-file tests/abi/libwsfan.abi build/plain/libwsfan.so
gate_abi() {
    abidiff --no-added-syms tests/abi/libwsfan.abi "$build/libwsfan.so" >"$work/out" 2>&1
    status=$?
    # 4: it changed, 8: incompatibly; additions alone are no change here
    [ $((status & 9)) -eq 0 ] || { cat "$work/out"; return 1; }
}

# Two builds in two places give the same bytes.
gate_reproducible() {
    for place in one two/deeper; do
        mkdir -p "$work/$place"
        cp -r CMakeLists.txt README.md LICENSE CHANGELOG.md SECURITY.md docs lib include packaging pkgconfig tools "$work/$place"
        (cd "$work/$place" && cmake -S . -B build -DCMAKE_BUILD_TYPE=Release \
            -DWSFAN_BUILD_TESTS=OFF -DWSFAN_BUILD_EXAMPLES=OFF &&
            cmake --build build --parallel 2 --target wsfan wsfan_static) >"$work/log" 2>&1 ||
            { tail -20 "$work/log"; return 1; }
    done
    cmp "$work/one/build/libwsfan.so" "$work/two/deeper/build/libwsfan.so" &&
        cmp "$work/one/build/libwsfan.a" "$work/two/deeper/build/libwsfan.a"
}

# The probes that lib/base/probes.h lists are those of the library, and trace.bt uses each.
gate_probes() {
    listed=$(sed -n 's/^ \* | \([a-z_]*\)  *|.*/\1/p' lib/base/probes.h | sort)
    readelf -n "$build/libwsfan.so" | awk '
        $1 == "Provider:" { provider = $2 } $1 == "Name:" && provider == "wsfan" { print $2 }' |
        sort -u >"$work/found"
    used=$(grep -o 'wsfan:[a-z_]*' examples/monitoring/trace.bt | cut -d: -f2 | sort -u)
    [ -n "$listed" ] && [ "$listed" = "$(cat "$work/found")" ] && [ "$listed" = "$used" ] || {
        echo "listed:" $listed
        echo "in the library:" $(cat "$work/found")
        echo "in trace.bt:" $used
        return 1
    }
}

# The pure modules, the core and hostile peers; what needs real sockets runs under the sanitizers.
gate_valgrind() {
    # The longest first.
    printf '%s\n' registry wire table deque hostile hostile_requests queue message endpoint interest link \
        keys packet | xargs -P 2 -I TEST sh -c 'CK_FORK=no valgrind --quiet --error-exitcode=9 \
            --leak-check=full --errors-for-leak-kinds=definite,possible \
            "$0/tests/unit/test_TEST" >"$1/TEST" 2>&1 || { cat "$1/TEST"; exit 1; }' \
        "$build" "$work"
}

# What a message of 128 bytes costs, in instructions. The figures that are stored are of one compiler, which stands
# above them.
gate_instructions() {
    read -r compiler <tests/bench/instructions.txt
    found="gcc $(gcc -dumpversion) $(uname -m)"
    [ "$found" = "$compiler" ] || { echo "stored for $compiler, here is $found"; return 77; }
    command -v valgrind >/dev/null || { echo "no valgrind"; return 77; }
    cmake -S . -B "$build/instructions" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=gcc \
        -DWSFAN_BUILD_TESTS=OFF -DWSFAN_BUILD_BENCH=ON >"$work/log" 2>&1 &&
        cmake --build "$build/instructions" --parallel 2 --target wsfan-bench >>"$work/log" 2>&1 || {
        tail -20 "$work/log"
        return 1
    }
    sh tests/bench/instructions.sh "$build/instructions/tests/bench/wsfan-bench" gate
}

case $1 in
cppcheck | tidy | analyzer | coverage | hardening | abi | reproducible | probes | valgrind | instructions) "gate_$1" ;;
*) sed -n '2,6p' "$0"; exit 2 ;;
esac
