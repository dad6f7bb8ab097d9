#!/bin/sh
# The folders of lib/ are layers: a file includes files of its own folder and of those that stand before it
# here, and no file includes itself by way of others.
#   sh tests/layering.sh               checks lib/
#   sh tests/layering.sh --self-test   checks that bad trees are found
set -u

# Lowest first. core/ has folders of its own, which are one layer.
LAYERS="base outbound message wire core exchange mesh loop api"

# Who may see a library, and nobody else.
OWNERS="zmq.h:mesh/zmq,mesh/socket,mesh/auth,mesh/connection,mesh/admission,mesh/monitor msgpack.h:wire/encode,wire/decode
xxhash.h:wire/checksum,wire/checksum_avx2 sodium/:base/hash ares.h:mesh/discovery"

# check DIR: prints what is wrong. One awk for all files: it is called for each bad tree.
check() (
    cd "$1" || exit
    pairs=$(mktemp)
    # shellcheck disable=SC2046 # a list of words
    awk -v layers="$LAYERS" -v owners="$OWNERS" -v pairs="$pairs" '
        BEGIN {
            count = split(layers, layer)
            for (i = 1; i <= count; i++) rank[layer[i]] = i
            owned = split(owners, pair)
            for (i = 1; i <= owned; i++) {
                split(pair[i], part, ":")
                library[i] = part[1]
                may[i] = part[2] }
            for (i = 1; i < ARGC; i++) exists[ARGV[i]] = 1
            for (i = 1; i < ARGC; i++)
                if (!rank[folder(ARGV[i])]) print ARGV[i] ": in a folder that is no layer" }
        function folder(file) { sub("/.*", "", file); return file }
        function stem(file) { sub(/\.[^.\/]*$/, "", file); return file }
        /^ *# *include *".*"/ {
            header = $0
            sub(/^ *# *include *"/, "", header)
            sub(/".*/, "", header)
            if (!exists[header]) print FILENAME ": includes " header ", which is not named from lib/ on"
            if (rank[folder(header)] > rank[folder(FILENAME)])
                print FILENAME ": includes " header ", which is above it"
            if (stem(FILENAME) != stem(header)) print stem(FILENAME), stem(header) >pairs }
        /^ *# *include *</ {
            header = $0
            sub(/^ *# *include *</, "", header)
            for (i = 1; i <= owned; i++)
                if (index(header, library[i]) == 1 && !index("," may[i] ",", "," stem(FILENAME) ","))
                    print FILENAME ": includes " library[i] ", which only " may[i] " may" }
    ' $(find . -name '*.[ch]' ! -path './beacon/*' ! -path './nats/*' | sed 's|^\./||' | sort)
    tsort <"$pairs" 2>&1 >/dev/null | sed 's/^tsort: /a circle: /'
    rm "$pairs"
)

self_test() {
    bad=$(mktemp -d)
    trap 'rm -rf "$bad"' EXIT
    failed=0
    lib=$(dirname "$0")/../lib
    rm -rf "$bad" && cp -r "$lib" "$bad"
    [ -z "$(check "$bad")" ] || { echo "the tree itself fails"; failed=1; }
    for case in 'core/link/link.c:#include "mesh/mesh.h"' 'base/table.c:#include "loop/registry.h"' \
        'loop/loop.c:#include <zmq.h>' 'brandnew/file.c:' 'core/types.h:#include "core/state.h"' \
        'loop/loop.c:#include "registry.h"'; do
        rm -rf "$bad" && cp -r "$lib" "$bad"
        mkdir -p "$bad/$(dirname "${case%%:*}")"
        echo "${case#*:}" >>"$bad/${case%%:*}"
        [ -n "$(check "$bad")" ] || { echo "not found: $case"; failed=1; }
    done
    exit $failed
}

[ "${1-}" != --self-test ] || self_test
problems=$(check "$(dirname "$0")/../lib")
[ -z "$problems" ] || { echo "$problems"; exit 1; }
