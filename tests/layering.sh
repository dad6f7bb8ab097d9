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

# includes FILE: what it includes of ours
includes() {
    sed -n 's/^ *# *include *"\(.*\)".*/\1/p' "$1"
}

rank_of() {
    rank=0
    for layer in $LAYERS; do
        rank=$((rank + 1))
        [ "$layer" != "${1%%/*}" ] || { echo $rank; return; }
    done
    echo 0
}

# check DIR: prints what is wrong
check() (
    cd "$1" || exit
    pairs=
    for file in $(find . -name '*.[ch]' ! -path './beacon/*' | sed 's|^\./||' | sort); do
        own=${file%.*}
        rank=$(rank_of "$file")
        [ "$rank" -gt 0 ] || echo "$file: in a folder that is no layer"
        for header in $(includes "$file"); do
            [ -f "$header" ] || echo "$file: includes $header, which is not named from lib/ on"
            [ "$(rank_of "$header")" -le "$rank" ] ||
                echo "$file: includes $header, which is above it"
            [ "$own" = "${header%.*}" ] || pairs="$pairs$own ${header%.*}
"
        done
        for pair in $OWNERS; do
            case ",${pair#*:}," in *",$own,"*) continue ;; esac
            ! grep -q "^ *# *include *<${pair%:*}" "$file" ||
                echo "$file: includes ${pair%:*}, which only ${pair#*:} may"
        done
    done
    printf '%s' "$pairs" | tsort 2>&1 >/dev/null | sed 's/^tsort: /a circle: /'
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
