#!/bin/sh
# A file of the library may include its own header and those of files that stand before it here.
#   sh tests/layering.sh               checks lib/
#   sh tests/layering.sh --self-test   checks that bad trees are found
set -u

# Lowest first. A name stands for NAME.c and NAME.h.
ORDER="
size error labels memory hash block buffer table deque outbound queue receipt text endpoint guard alone reserve interfaces keys keyring address message
rows request
roster presence news entry wire reader registry interest link placement
core.h state rollcall results asks dial probe standing greet route frame plan sender tasks receiver core attendance members
moves perform
mailbox inbox auth knock connection door socket outlets mesh discovery loop query
options node requests
"

# Who may see a library, and nobody else.
OWNERS="zmq.h:socket,auth,connection,door msgpack.h:wire,reader xxhash.h:wire sodium/:hash ares.h:discovery"

# check DIR: prints what is wrong
check() {
    for file in "$1"/*.c "$1"/*.h; do
        name=$(basename "$file")
        own=${name%.*}
        seen=
        found=
        for entry in $ORDER; do
            if [ "$entry" = "$name" ] || [ "$entry" = "$own" ]; then
                found=yes
                [ "$entry" = "$name" ] || [ "$own.h" != "core.h" ] || continue
                break
            fi
            seen="$seen ${entry%.h}.h"
        done
        [ -n "$found" ] || echo "$name: not in the order of layers"
        for header in $(sed -n 's/^ *# *include *"\(.*\)".*/\1/p' "$file"); do
            case " $seen $own.h " in
            *" $header "*) ;;
            *) echo "$name: includes $header, which does not stand below it" ;;
            esac
        done
        for pair in $OWNERS; do
            case ",${pair#*:}," in *",$own,"*) continue ;; esac
            ! grep -q "^ *# *include *<${pair%:*}" "$file" ||
                echo "$name: includes ${pair%:*}, which only ${pair#*:}.c may"
        done
    done
}

self_test() {
    bad=$(mktemp -d)
    trap 'rm -rf "$bad"' EXIT
    failed=0
    for case in 'link.c:#include "mesh.h"' 'table.c:#include "registry.h"' \
        'loop.c:#include <zmq.h>' 'brandnew.c:' 'core.h:#include "state.h"'; do
        rm -f "$bad"/*
        cp "$(dirname "$0")"/../lib/*.[ch] "$bad"
        [ -z "$(check "$bad")" ] || { echo "the tree itself fails"; failed=1; }
        echo "${case#*:}" >>"$bad/${case%%:*}"
        [ -n "$(check "$bad")" ] || { echo "not found: $case"; failed=1; }
    done
    exit $failed
}

[ "${1-}" != --self-test ] || self_test
problems=$(check "$(dirname "$0")/../lib")
[ -z "$problems" ] || { echo "$problems"; exit 1; }
