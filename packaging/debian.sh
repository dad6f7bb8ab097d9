#!/bin/sh
# Makes the Debian packages in build/packages: sh packaging/debian.sh [DIRECTORY]
#
# Installs what is missing to make them. Set DEBFULLNAME and DEBEMAIL to be named as the maintainer.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=examples/debian.sh
. examples/debian.sh

directory=${1:-build/packages}
# shellcheck disable=SC2086 # a list of words
need_packages $echo_chat_packages libczmq-dev libnats-dev systemtap-sdt-dev doxygen cmark-gfm dpkg-dev file

SOURCE_DATE_EPOCH=$(sed -n 's/^ -- .*>  //p' packaging/debian/changelog.in | date --file=- +%s)
export SOURCE_DATE_EPOCH
mkdir -p "$directory"
{
    # -O2 without debugging information; what runs where it is installed needs no path to its library. --fresh: which packages
    # there are depends on what is installed now.
    cmake --fresh -S . -B "$directory" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE="-O2 -DNDEBUG" \
        -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_SKIP_INSTALL_RPATH=ON \
        -DCMAKE_INSTALL_DOCDIR=share/doc/libwsfan-doc -DZSH_COMPLETIONS=share/zsh/vendor-completions \
        -DWSFAN_HARDEN=ON -DWSFAN_DOCS=ON -DWSFAN_BUILD_TESTS=OFF -DWSFAN_BUILD_SERVERS=OFF &&
        cmake --build "$directory" --parallel "${JOBS:-$(nproc)}" &&
        (cd "$directory" && rm -f ./*.deb && umask 022 && cpack -G DEB)
} >"$directory/log" 2>&1 || {
    tail -n 40 "$directory/log"
    exit 1
}
ls "$directory"/*.deb
