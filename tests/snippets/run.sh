#!/bin/sh
# Tries the snippets of README.md, SECURITY.md and docs/:
#   sh tests/snippets/run.sh BUILD WORK    BUILD: with the library, the tools and the examples
#   sh tests/snippets/run.sh --self-test   checks that what has no rule is found
# Figures, and what programs print, are in the language `text` and are not tried. Every other snippet has
# a name (extract.awk says how) and a rule here, try_NAME. The rule is called with the snippet's file, in
# a directory of its own that has the sources and, as `build`, BUILD; what a snippet takes for granted,
# the rule adds: code around it, programs in its PATH.
set -u
here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$(dirname "$here")")

# ------------------------------------------------------------------------------------------- rules

# only_read SNIPPET: for what takes minutes, or installs packages: all that it starts is there, and is
# well-formed.
only_read() {
    sh -n "$1"
    found=
    for word in $(sed 's/#.*//' "$1"); do
        file=${word#*=}
        case $file in
        *.sh) sh -n "$file" ;;
        *.mjs) node --check "$file" ;;
        build/*) [ -x "$file" ] ;;
        *) continue ;;
        esac
        found=yes
    done
    [ -n "$found" ]
}

# shorter SNIPPET SED-SCRIPT: writes ./shorter.sh, the same with smaller numbers
shorter() {
    sed "$2" "$1" >shorter.sh
    ! cmp -s "$1" shorter.sh
}

warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"

# program SOURCE [LIBRARY]: compiles a file of this directory, which includes a snippet, and runs it. The
# sanitizer looks for what it leaks.
program() {
    for compiler in gcc clang; do
        for standard in c99 c11; do
            # shellcheck disable=SC2086 # a list of words
            ! command -v $compiler || $compiler -std=$standard -D_GNU_SOURCE $warnings -I"$source/include" \
                -I"$snippets" -fsyntax-only "$here/$1"
        done
    done
    cc -std=c99 -D_GNU_SOURCE -g -fsanitize=address,undefined -I"$source/include" -I"$snippets" "$here/$1" \
        -L"$build" -lwsfan ${2-} -o "${1%.c}"
    LD_LIBRARY_PATH=$build "./${1%.c}"
}

try_demo() { only_read "$1"; } # browser_demo runs the one command, and the other has run this
try_bench() { only_read "$1"; }
try_scaling() { only_read "$1"; }
try_soak() { only_read "$1"; } # cluster_soak runs it

try_install() { grep -q 'work/snippets/install"' "$source/tests/package/run.sh"; } # there it is run

try_key() {
    sh -e "$1"
    [ -f mesh.key ]
    [ -f mesh.key_secret ]
}

try_shared_key() { try_key "$1"; }

try_own_keys() {
    sh -e "$1"
    [ "$(ls allowed)" = "$(printf '%s\n' alpha.key beta.key gamma.key)" ]
    [ -f alpha.key_secret ]
}

# The same lines, whatever the keys.
try_certificate() {
    wsfan-keygen own.key
    for file in "$1" own.key_secret; do
        sed -e '/^#/d' -e '/^$/d' -e 's/".*"/KEY/' "$file" >"$(basename "$file").lines"
    done
    diff certificate.lines own.key_secret.lines
}

try_server() { # the snippet that makes its key, too
    try_key "$snippets/key"
    # shellcheck disable=SC2086 # a list of words
    cc -std=c99 -x c $warnings -I"$source/include" -c "$1" -o alone.o
    program server.c
}

try_targets() { program targets.c; }
try_integrate_history() { program history.c; }
try_metrics() { program metrics.c; }

try_nats() { program nats.c "-L$build/lib/nats -Wl,-rpath,$build/lib/nats -lwsfan-nats"; }
try_adapter() { program adapter.c -luv; }
try_advertise() { program advertise.c; }

# excerpt SNIPPET SOURCE: its lines stand in that order in an example, which is built and run elsewhere.
excerpt() {
    awk 'NR == FNR { lines[NR] = $0; count = NR; next }
        found < count && $0 == lines[found + 1] { found++ }
        END { if (found < count) { print "not there: " lines[found + 1]; exit 1 } }' "$1" "$source/examples/$2"
}

try_integrate_ready() { excerpt "$1" servers/chat.h; }
try_integrate_libwebsockets() { excerpt "$1" minimal/minimal.c; }
try_integrate_poll() { excerpt "$1" servers/poll-wslay.c; }
try_integrate_libuv() { excerpt "$1" servers/libuv-wslay.c; }
try_integrate_libevent() { excerpt "$1" servers/libevent.c; }
try_integrate_libsoup() { excerpt "$1" servers/glib-libsoup.c; }
try_integrate_cores() { excerpt "$1" servers/epoll-threads.c; }
try_integrate_threads() { excerpt "$1" servers/civetweb.c; }

# tests/package/newcomer.sh does the same, where the packages are.
try_integrate_try() {
    sh -n "$1"
    for word in libuv-wslay "tcp://127.0.0.1:7002 tcp://127.0.0.1:7001" echo-chat; do
        grep -q "$word" "$1" && grep -q "$word" tests/package/newcomer.sh
    done
}

# Instead of an installed library, this build's. tests/package/run.sh installs one, and does the same.
try_integrate_pkg_config() {
    cp tests/package/host.c server.c
    mkdir bin
    printf '#!/bin/sh\necho "-D_GNU_SOURCE -I%s -L%s -lwsfan -pthread"\n' "$source/include" "$build" >bin/pkg-config
    chmod +x bin/pkg-config
    PATH=$PWD/bin:$PATH sh -e "$1"
    LD_LIBRARY_PATH=$build ./server
}

try_integrate_cmake() {
    mkdir server
    cp tests/package/host.c server/server.c
    {
        printf 'cmake_minimum_required(VERSION 3.20)\nproject(server LANGUAGES C)\n'
        printf 'macro(find_package name how)\nadd_library(wsfan::wsfan SHARED IMPORTED)\n'
        printf 'set_target_properties(wsfan::wsfan PROPERTIES IMPORTED_LOCATION %s\n' "$build/libwsfan.so"
        printf 'INTERFACE_INCLUDE_DIRECTORIES %s INTERFACE_COMPILE_DEFINITIONS _GNU_SOURCE)\nendmacro()\n' "$source/include"
        cat "$1"
    } >server/CMakeLists.txt
    cmake -S server -B server/build
    cmake --build server/build
    server/build/server
}

try_packages() { only_read "$1"; } # tests/packages.sh does it

# Into folders here, and the unit is one that systemd understands.
try_deploy_systemd() {
    mkdir etc etc/systemd etc/systemd/system
    sed "s|/usr/share/doc/libwsfan-doc/||; s| /etc/| $PWD/etc/|g" "$1" >here.sh
    systemctl() { [ "$*" = "enable --now echo-chat" ]; }
    # shellcheck disable=SC1091 # made here
    . ./here.sh
    [ -s etc/echo-chat/mesh.key_secret ]
    for variable in $(grep -oE '\$\{[A-Z]+\}' etc/systemd/system/echo-chat.service | tr -d '${}'); do
        grep -q "^$variable=" etc/echo-chat/replica.conf
    done
    command -v systemd-analyze || return 0
    sed -i "s|/usr/bin/echo-chat|$build/examples/echo-chat/echo-chat|; /^Documentation/d" etc/systemd/system/echo-chat.service
    systemd-analyze verify --recursive-errors=no etc/systemd/system/echo-chat.service
}

# tests/kubernetes looks into the file.
try_deploy_compose() {
    # shellcheck disable=SC2046 # words
    [ -s $(grep -o 'examples/[^ ]*' "$1") ]
}

try_simulate() {
    cmake() { # the build is there
        case $* in
        "-S . -B build" | "--build build --parallel --target wsfan-sim") ;;
        *) return 1 ;;
        esac
    }
    shorter "$1" 's/1\.\.[0-9]*/1..20/'
    # shellcheck disable=SC1091 # made here
    . ./shorter.sh
}

try_faults() { # skipped where there are no namespaces
    shorter "$1" 's/--seconds 25/--seconds 2/'
    sh shorter.sh || [ $? -eq 77 ]
}

# The answer has what the one beside it in the document has.
try_publish() {
    TOKEN=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
    echo "$TOKEN" >token
    build/examples/echo-chat/echo-chat --listen 127.0.0.1:0 --publish-token token >ready &
    server=$!
    trap 'kill $server' EXIT
    until grep '^ready' ready; do
        kill -0 $server
        sleep 0.05
    done
    host=$(sed -n 's|^ready: .*http://\(.*\)/, mesh.*|\1|p' ready)
    curl() { command curl --silent --show-error --fail --connect-to "alpha:8080:$host" "$@"; }
    # shellcheck disable=SC1090 # the snippet
    . "$1" >answer
    node -e 'const fs = require("fs");
        const shape = (v) => v && typeof v == "object" ? Object.entries(v).map(([k, i]) => [k, shape(i)]) : typeof v;
        const [told, got] = process.argv.slice(1).map((file) => shape(JSON.parse(fs.readFileSync(file))));
        require("assert").deepEqual(got, told);' "$snippets/published" answer
}

try_published() { grep -q '{' "$1"; } # try_publish compares it

# ----------------------------------------------------------------------------------------- running

# check DIRECTORY: prints what is wrong with the snippets of the documents in it, and leaves in
# $snippets their files and a list
check() {
    awk -v into="$snippets" -f "$here/extract.awk" "$1"/*.md "$1"/docs/*.md >"$snippets/list"
    while read -r name language place; do
        case $name$language in
        *-) echo "$place: the fence names no language; figures and output are text" ;;
        -text) ;;
        -*) echo "$place: there is a snippet of $language without a name" ;;
        *) rules | grep -qx "$name" || echo "$place: there is no rule try_$name" ;;
        esac
    done <"$snippets/list"
    for name in $(rules); do
        [ "$(grep -c "^$name " "$snippets/list")" -eq 1 ] ||
            echo "there must be one snippet of the name $name"
    done
}

rules() {
    sed -n 's/^try_\([a-z_]*\)() .*/\1/p' "$here/run.sh"
}

# try NAME: in a directory of its own
try() {
    mkdir -p "$work/$1"
    cd "$work/$1" || exit 1
    for entry in "$source"/*; do
        [ "$entry" = "$source/build" ] || ln -s "$entry" .
    done
    ln -s "$build" build
    (
        set -e
        PATH=$build/tools:$PATH
        "try_$1" "$snippets/$1"
    ) >"$work/$1.log" 2>&1 </dev/null
}

self_test() {
    bad=$(mktemp -d)
    trap 'rm -rf "$bad"' EXIT
    snippets=$bad/snippets
    mkdir "$snippets" "$bad/good"
    cp -r "$source"/*.md "$source/docs" "$bad/good"
    [ -z "$(check "$bad/good")" ] || { check "$bad/good"; exit 1; }
    failed=
    for text in '```c' '   ```sh' '```' '> ```cmake' '~~~c' '<!-- snippet: nowhere -->\n```c' \
        '<!-- snippet: server -->\n```c' '<!-- snippet: server -->\n\n```c'; do
        rm -rf "$bad/tree"
        cp -r "$bad/good" "$bad/tree"
        printf '%b\nint x;\n```\n' "$text" >>"$bad/tree/docs/design.md"
        [ -n "$(check "$bad/tree")" ] || { echo "not found: $text"; failed=yes; }
    done
    sed -i '/snippet: server/d' "$bad/good/README.md"
    check "$bad/good" | grep -q 'of the name server' || { echo "a rule without a snippet"; failed=yes; }
    [ -z "$failed" ]
}

if [ "$1" = --self-test ]; then
    self_test
    exit
fi
build=$(cd "$1" && pwd) || exit 1
work=$2
rm -rf "$work"
mkdir -p "$work/snippets"
work=$(cd "$work" && pwd)
snippets=$work/snippets
failed=$(check "$source")
[ -z "$failed" ] || echo "$failed"
for name in $(rules); do
    echo "$name"
    try "$name"
    status=$?
    [ $status -eq 0 ] || { cat "$work/$name.log"; echo "failed: $name"; failed=yes; }
done
[ -z "$failed" ]
