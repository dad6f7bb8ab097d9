#!/bin/sh
# Meshes many nodes, each a process, over real sockets: every one must meet all others and get the messages of all.
#   sh tests/mesh.sh BUILD-FOLDER [NODES...]        [100 150]
# Needs some 25 MB of memory and 4 descriptors of the other nodes for each node. Ends by itself.
set -eu
build=$1
shift
[ $# -gt 0 ] || set -- 100 150
for nodes; do
    "$build/tests/crowd/test_mesh" "$nodes"
done
