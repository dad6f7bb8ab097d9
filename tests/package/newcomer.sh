#!/bin/sh
# What somebody does first who has installed the packages: read, compile, run. tests/packages.sh runs it in a Debian that has
# nothing else of this project.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
chat='' server=''
trap 'kill $chat $server 2>/dev/null || true; rm -rf "$work"' EXIT
cp -r "$here" "$work/package" # the tree may not be written to
cd "$work"

quiet() {
    "$@" >"$work/log" 2>&1 || { echo "failed: $*"; cat "$work/log"; exit 1; }
}

echo "pkg-config, shared and static, and find_package"
# shellcheck disable=SC2046 # lists of words
{
    quiet cc -std=c11 -D_GNU_SOURCE package/host.c $(pkg-config --cflags --libs wsfan) -pthread -o shared
    mkdir archive && cp "$(pkg-config --variable=libdir wsfan)/libwsfan.a" archive
    quiet cc -std=c11 -D_GNU_SOURCE package/host.c -Larchive $(pkg-config --cflags --static --libs wsfan) -o static
}
quiet ./shared
quiet ./static
for addition in beacon nats; do
    quiet cmake -S package/find_package -B found "-DADDITION=$addition"
    quiet cmake --build found
    for program in shared static cplusplus "$addition" "${addition}_static"; do
        quiet "found/$program"
    done
done

echo "the manuals"
for page in man1/wsfan.1 man1/wsfan-keygen.1 man1/echo-chat.1 man3/wsfan.h.3 man3/wsfan_publish.3; do
    gzip -t "/usr/share/man/$page.gz"
done
[ -s /usr/share/doc/libwsfan-doc/index.html ]

echo "the programs"
quiet wsfan-keygen mesh.key
quiet wsfan --help

echo "a server of one's own, in a mesh with echo-chat"
cp -r /usr/share/doc/libwsfan-doc/examples .
quiet cmake -S examples -B servers
quiet cmake --build servers --target libuv-wslay
echo-chat --listen 127.0.0.1:8001 --mesh tcp://127.0.0.1:7001 >chat.log 2>&1 &
chat=$!
servers/servers/libuv-wslay 8002 tcp://127.0.0.1:7002 tcp://127.0.0.1:7001 >server.log 2>&1 &
server=$!
quiet python3 package/meet.py 'ws://127.0.0.1:8001/ws?chat=lobby&user=ann' 'ws://127.0.0.1:8002/lobby'
quiet wsfan doctor tcp://127.0.0.1:7001 tcp://127.0.0.1:7002
