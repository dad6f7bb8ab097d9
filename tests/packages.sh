#!/bin/sh
# Makes the Debian packages on Debian 12 and 13, and uses them as somebody would who has nothing else:
#   sh tests/packages.sh [debian12] [debian13]
#
# Needs root on an amd64 Debian, and takes some ten minutes for each, the first time more. Below build/packages-NAME is a Debian
# as debootstrap makes it, and one that has what the packages are built with, which is kept for the next run.
# lintian must accept the packages. Then they are installed where nothing else is (tests/package/newcomer.sh); removed
# again, they leave nothing. Last, the source release is unpacked, built and tested.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=examples/debian.sh
. examples/debian.sh
# shellcheck source=tests/roots.sh
. tests/roots.sh

# ------------------------------------------------------------------------------- inside the folders

make_packages() {
    need_packages lintian || exit 1
    sh packaging/debian.sh /build || exit 1
    echo "lintian"
    lintian --allow-root --display-info --fail-on error,warning,info --tag-display-limit 0 /build/*.deb
}

# What others than dpkg know of the packages.
list_files() {
    find / -xdev \( -path /proc -o -path /dev -o -path /source -o -path /packages -o -path /root \) -prune -o -print |
        grep -vE '^/(var/(cache|lib/(apt|dpkg))|etc/ld.so.cache|tmp|run)(/|$)' | sort
}

use_packages() {
    export DEBIAN_FRONTEND=noninteractive
    needs=$(for file in /packages/*.deb; do dpkg-deb --field "$file" Depends; done | tr ',' '\n' |
        sed 's/|.*//; s/(.*//; s/ //g' | grep -vE '^(libwsfan.*|)$' | sort -u)
    # shellcheck disable=SC2046,SC2086 # lists of words
    {
        apt-get update -qq && apt-get install -qq --no-install-recommends $needs build-essential cmake \
            libuv1-dev libwslay-dev libssl-dev libjansson-dev python3-websockets || exit 1
        list_files >/root/before
        apt-get install -qq --no-install-recommends /packages/*.deb
    } >/root/log 2>&1 || { tail -n 30 /root/log; exit 1; }
    sh /source/tests/package/newcomer.sh || exit 1
    apt-get purge -qq '*wsfan*' >/root/log 2>&1 || { cat /root/log; exit 1; }
    list_files >/root/after
    echo "removed"
    diff /root/before /root/after
}

test_sources() {
    # shellcheck disable=SC2086 # a list of words
    need_packages $echo_chat_packages libczmq-dev libnats-dev libsqlite3-dev libwebsockets-dev check patch || exit 1
    rm -rf /build/sources /build/tree
    cmake -S . -B /build/sources -DWSFAN_BUILD_TESTS=OFF >/build/log 2>&1 &&
        (cd /build/sources && cpack --config CPackSourceConfig.cmake) >>/build/log 2>&1 || { tail /build/log; exit 1; }
    mkdir /build/tree
    tar -xf /build/sources/*.tar.gz -C /build/tree --strip-components 1 || exit 1
    {
        cmake -S /build/tree -B /build/tree/build -DWSFAN_DEVELOPER=ON -DWSFAN_BUILD_BENCH=OFF \
            -DNODE=node -DNPM=npm -DDNSMASQ=dnsmasq -DNFT=nft &&
            cmake --build /build/tree/build --parallel "$(nproc)" &&
            ctest --test-dir /build/tree/build --output-on-failure --no-tests=error --parallel "$(nproc)" \
                --label-regex '^(unit|fuzz)$'
    } >/build/log 2>&1 || { tail -n 50 /build/log; exit 1; }
    grep 'tests passed' /build/log
}

case ${1-} in
--inside)
    "$2"
    exit
    ;;
esac

# --------------------------------------------------------------------------------------- all of it

release_of() {
    case $1 in
    debian12) echo bookworm ;;
    debian13) echo trixie ;;
    *) return 1 ;;
    esac
}

# try NAME
try() {
    folder=$PWD/build/packages-$1
    [ -d "$folder/base" ] || {
        mkdir -p "$folder"
        debootstrap_into "$folder/base.new" "$(release_of "$1")" amd64 >"$folder/debootstrap.log" 2>&1 &&
            mv "$folder/base.new" "$folder/base"
    } || { tail "$folder/debootstrap.log"; return 1; }
    inside "$folder/build" make_packages || return 1
    rm -rf "$folder/clean"
    mkdir -p "$folder/clean/upper/packages"
    cp "$folder/build/upper/build"/*.deb "$folder/clean/upper/packages" || return 1
    inside "$folder/clean" use_packages && inside "$folder/build" test_sources
}

# inside OVER FUNCTION
inside() {
    # shellcheck disable=SC2016 # a word of the inner shell
    enter_root "$folder/base" "$1" sh -c 'cd /source && sh tests/packages.sh --inside "$1"' packages "$2"
}

[ $# -gt 0 ] || set -- debian12 debian13
for name in "$@"; do
    release_of "$name" >/dev/null || { echo "usage: packages.sh [debian12] [debian13]" >&2; exit 2; }
done
[ "$(id -u)" -eq 0 ] || { echo "packages.sh: needs root" >&2; exit 1; }
need_packages debootstrap debian-archive-keyring util-linux || exit 1
failed=
for name in "$@"; do
    echo "=== $name"
    try "$name" || { echo "failed: $name"; failed=yes; }
done
[ -z "$failed" ]
