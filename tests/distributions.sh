#!/bin/sh
# Builds and tests on other distributions and machines: sh tests/distributions.sh [NAME...]
#
#   debian12  Debian 12, amd64       i386   Debian 12, 32-bit x86
#   debian13  Debian 13, amd64       arm64  Debian 13
#                                    s390x  Debian 12, big endian
#
# Needs root on an amd64 Debian, and installs what is missing. Each name is a folder that debootstrap
# makes below build/distributions, and that is kept for the next run, with its packages and its build.
#
# arm64 and s390x are built by a cross compiler against the packages of that machine, and CMake runs
# each test program under qemu-user. An emulated compiler would take hours, and binfmt_misc, which it
# needs, is not to be had in every container.
#
# Everywhere: the tests with the labels unit, sim and fuzz. Under qemu-user sim_seeds runs 100 seeds
# instead of 2,000, and sim_finds_faults, which is about the simulator and not about the machine, does
# not run (tests/sim/CMakeLists.txt).
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=examples/debian.sh
. examples/debian.sh
# shellcheck source=tests/roots.sh
. tests/roots.sh

names="debian12 debian13 i386 arm64 s390x"
folders=$PWD/build/distributions
jobs=$(nproc)

# describe NAME: sets $release and $arch of the folder, and $triplet of a machine that is emulated
describe() {
    release=bookworm arch=amd64 triplet=
    case $1 in
    debian12) ;;
    debian13) release=trixie ;;
    i386) arch=i386 ;;
    arm64) release=trixie triplet=aarch64-linux-gnu ;;
    s390x) triplet=s390x-linux-gnu ;;
    *) return 1 ;;
    esac
}

# ------------------------------------------------------------------------------ outside the folder

# use_newer_emulator FOLDER: that of Debian 12 does nothing for MADV_WIPEONFORK, and says it has
use_newer_emulator() {
    echo "deb $(mirror) bookworm-backports main" >"$1/etc/apt/sources.list.d/backports.list"
    printf 'Package: qemu-user\nPin: release n=bookworm-backports\nPin-Priority: 500\n' \
        >"$1/etc/apt/preferences.d/qemu-user"
}

# bootstrap NAME: a folder is complete, or not there
bootstrap() {
    [ ! -d "$folders/$1" ] || return 0
    debootstrap_into "$folders/$1.new" "$release" "$arch" || return 1
    [ "$1" != s390x ] || use_newer_emulator "$folders/$1.new"
    mv "$folders/$1.new" "$folders/$1"
}

# ------------------------------------------------------------------------------- inside the folder

# install_packages: what the build needs; libraries of the machine that is emulated
install_packages() {
    packages="$echo_chat_packages libwebsockets-dev patch libczmq-dev libsqlite3-dev libhiredis-dev libnats-dev check"
    if [ -n "$triplet" ]; then
        dpkg --add-architecture "$name"
        # In Debian 13 libmsgpack-dev is an empty package, of no machine.
        [ "$release" = bookworm ] ||
            packages=$(echo "$packages" | sed 's/libmsgpack-dev/libmsgpack-c-dev/')
        packages="$(echo "$packages" | sed -E "s/\b(lib[^ ]*-dev|check)\b/\1:$name/g") \
            gcc-$triplet libc6-dev-$name-cross qemu-user"
    else # examples/servers
        packages="$packages libcivetweb-dev libwslay-dev libevent-dev libsoup-3.0-dev"
    fi
    # shellcheck disable=SC2086 # lists of words
    need_packages $packages
}

# build [CMAKE-ARGUMENT...]: programs that only tests of other labels start need not be there
build() {
    cmake -S /source -B /build -DWSFAN_DEVELOPER=ON -DNODE=node -DNPM=npm -DDNSMASQ=dnsmasq \
        -DNFT=nft "$@" && cmake --build /build --parallel "$jobs"
}

write_versions() {
    echo "libzmq $(pkg-config --modversion libzmq)," \
        "msgpack-c $(pkg-config --modversion msgpack-c 2>/dev/null ||
            pkg-config --modversion msgpack)," \
        "libuv $(pkg-config --modversion libuv)," \
        "OpenSSL $(pkg-config --modversion openssl)," \
        "libwebsockets $(pkg-config --modversion libwebsockets | sed 's/-.*//')," \
        "gcc $("${triplet:+$triplet-}gcc" -dumpfullversion)" >/build/versions
}

work_inside() {
    install_packages || exit 1
    if [ -n "$triplet" ]; then
        machine=${triplet%%-*}
        export PKG_CONFIG_LIBDIR="/usr/lib/$triplet/pkgconfig:/usr/share/pkgconfig"
        set -- -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$machine" \
            -DCMAKE_C_COMPILER="$triplet-gcc" -DCMAKE_CROSSCOMPILING_EMULATOR="qemu-$machine"
    fi
    write_versions
    build "$@" || exit 1
    ctest --test-dir /build --output-on-failure --no-tests=error --parallel "$jobs" \
        --label-regex '^(unit|sim|fuzz)$'
}

if [ "${1-}" = --inside ]; then
    name=$2
    describe "$name"
    shift 2
    work_inside
    exit
fi

# --------------------------------------------------------------------------------------- all of it

for name in "$@"; do
    describe "$name" || { echo "usage: distributions.sh [NAME...], of: $names" >&2; exit 2; }
done
# shellcheck disable=SC2086 # a list of words
[ $# -gt 0 ] || set -- $names
[ "$(id -u)" -eq 0 ] || { echo "distributions.sh: needs root" >&2; exit 1; }
need_packages debootstrap debian-archive-keyring util-linux || exit 1
mkdir -p "$folders"
results=$(mktemp)
trap 'rm -f "$results"' EXIT
failed=
for name in "$@"; do
    describe "$name"
    log=$folders/$name.log
    echo "=== $name (log: $log)"
    { bootstrap "$name" && rm -f "$folders/$name/build/versions" &&
        enter_root "$folders/$name" "" sh /source/tests/distributions.sh --inside "$name"; } >"$log" 2>&1
    status=$?
    tests=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests* failed out of \([0-9]*\)$/\1 \2/p' "$log")
    versions=$(cat "$folders/$name/build/versions" 2>/dev/null)
    if [ -n "$tests" ]; then
        tests="$((${tests#* } - ${tests% *})) tests passed, ${tests% *} failed"
    else
        tests="not built"
    fi
    if [ "$status" -ne 0 ]; then
        tail -n 100 "$log"
        failed=1
    fi
    echo "$name: ${versions:-no folder}: $tests" >>"$results"
done
cat "$results"
[ -z "$failed" ]
