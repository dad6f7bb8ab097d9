#!/bin/sh
# Installs into a clean prefix and uses the result as others would.
#   sh tests/package/run.sh SOURCE-DIRECTORY WORK-DIRECTORY
set -eu
source=$1
work=$2
here=$source/tests/package
rm -rf "$work"
mkdir -p "$work"

quiet() {
    "$@" >"$work/log" 2>&1 || { echo "failed: $*"; cat "$work/log"; exit 1; }
}

runs() {
    "$@" >"$work/output" 2>&1 || { echo "failed: $*"; cat "$work/output"; exit 1; }
    [ ! -s "$work/output" ] || { echo "a library that prints: $*"; cat "$work/output"; exit 1; }
}

echo "the commands in the README" # two processes at a time, and a sudo that installs below $work/root
mkdir "$work/tree" "$work/snippets" "$work/bin"
ln -s "$source"/* "$work/tree"
rm -f "$work/tree/build"
awk -v into="$work/snippets" -f "$source/tests/snippets/extract.awk" "$source/README.md" >"$work/list"
sed 's/--parallel/& 2/' "$work/snippets/install" >"$work/install.sh"
printf '#!/bin/sh\n[ "$1" = ldconfig ] || DESTDIR=%s exec "$@"\n' "$work/root" >"$work/bin/sudo"
chmod +x "$work/bin/sudo"
(cd "$work/tree" && PATH=$work/bin:$PATH quiet sh -e "$work/install.sh")
mv "$work/root/usr/local" "$work/prefix" # what is installed can be moved
prefix=$work/prefix
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name wsfan.pc)")
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
export PKG_CONFIG_PATH LD_LIBRARY_PATH
library=$LD_LIBRARY_PATH/libwsfan.so

echo "pkg-config, shared and static"
# shellcheck disable=SC2046 # lists of words
{
    quiet cc -std=c11 -D_GNU_SOURCE "$here/host.c" $(pkg-config --cflags --libs wsfan) -pthread \
        -o "$work/shared"
    mkdir "$work/archive" && cp "${library%.so}.a" "$work/archive" # where no shared one is found first
    quiet cc -std=c11 -D_GNU_SOURCE "$here/host.c" -L"$work/archive" \
        $(pkg-config --cflags --static --libs wsfan) -o "$work/static"
    quiet c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror "$here/cplusplus.cpp" \
        $(pkg-config --cflags --libs wsfan) -o "$work/cplusplus"
}
runs "$work/shared"
quiet cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -I"$source/include" "$here/safety.c" -o "$work/safety" \
    -ldl
runs "$work/safety" "$library"
runs env LD_LIBRARY_PATH= "$work/static"
runs "$work/cplusplus"

echo "pkg-config, with nothing but the static library"
quiet cmake -S "$source" -B "$work/build_static" -DCMAKE_BUILD_TYPE=Debug -DWSFAN_BUILD_TESTS=OFF -DWSFAN_BUILD_EXAMPLES=OFF \
    -DBUILD_SHARED_LIBS=OFF -DCMAKE_INSTALL_PREFIX="$work/only_static" \
    -DCMAKE_INSTALL_LIBDIR="$work/only_static/absolute"
quiet cmake --build "$work/build_static" --parallel 2
quiet cmake --install "$work/build_static"
[ -z "$(find "$work/only_static" -name '*.so*')" ] || { echo "a shared library, too"; exit 1; }
# archives FLAG...: libraries whose archives are installed as these. Not libzmq: Debian's requires
# Kerberos, of which there is no archive, and what libxml2 requires, without depending on its package.
archives() {
    for flag in "$@"; do
        file=
        case $flag in
        -lzmq) ;;
        -l*) file=$(cc -print-file-name="lib${flag#-l}.a") ;;
        esac
        case $file in
        /*) echo "$file" ;;
        *) echo "$flag" ;;
        esac
    done
}
# shellcheck disable=SC2046 # lists of words
(
    PKG_CONFIG_PATH=$work/only_static/absolute/pkgconfig
    for static in "" --static; do
        quiet cc -std=c11 -D_GNU_SOURCE "$here/host.c" -o "$work/only_static/host$static" \
            $(pkg-config $static --cflags --libs wsfan)
    done
    quiet cc -std=c11 -D_GNU_SOURCE "$here/host.c" -o "$work/only_static/host-archives" \
        $(pkg-config --cflags wsfan) $(archives $(pkg-config --static --libs wsfan))
)
for program in host host--static host-archives; do
    runs env LD_LIBRARY_PATH= "$work/only_static/$program"
done
if readelf -d "$work/only_static/host-archives" | grep -E 'NEEDED.*lib(wsfan|msgpack|sodium|cares)'; then
    echo "a program of archives must not need the shared libraries"
    exit 1
fi
cp "$here/host.c" "$work/only_static/" # a consumer whose wsfan::wsfan is the static one
cat >"$work/only_static/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES C)
find_package(wsfan REQUIRED)
add_executable(found host.c)
target_link_libraries(found PRIVATE wsfan::wsfan)
END
quiet cmake -S "$work/only_static" -B "$work/only_static/build" \
    -Dwsfan_DIR="$work/only_static/absolute/cmake/wsfan"
quiet cmake --build "$work/only_static/build"
runs env LD_LIBRARY_PATH= "$work/only_static/build/found"

echo "uninstall"
cp "$work/build_static/install_manifest.txt" "$work/manifest"
grep -q '/libwsfan.a$' "$work/manifest"
quiet cmake --build "$work/build_static" --target uninstall
while read -r file; do
    [ ! -e "$file" ] || { echo "uninstall leaves $file"; exit 1; }
done <"$work/manifest"
[ -z "$(find "$work/only_static" -path '*/include/wsfan*' -o -path '*/cmake/wsfan*')" ] || { echo "uninstall leaves folders"; exit 1; }

echo "the source release"
quiet cmake --build "$work/build_static" --target package_source
tar -tf "$work/build_static"/libwsfan-*.tar.gz | sed -n 's|^libwsfan-[0-9.]*/||p' | grep -v '/$' | sort >"$work/released"
grep -qx tests/run.sh "$work/released"
! grep -E '^build/|/node_modules/|^[.]git/' "$work/released"
if git -C "$source" rev-parse >/dev/null 2>&1; then
    git -C "$source" ls-files | sort | comm -23 - "$work/released" >"$work/lacking"
    [ ! -s "$work/lacking" ] || { echo "not in the source release:"; cat "$work/lacking"; exit 1; }
fi

echo "find_package"
quiet cmake -S "$here/find_package" -B "$work/find_package" -DCMAKE_PREFIX_PATH="$prefix"
quiet cmake --build "$work/find_package"
for program in shared static cplusplus; do
    runs "$work/find_package/$program"
done

echo "add_subdirectory"
quiet cmake -S "$here/subdirectory" -B "$work/subdirectory" -DWSFAN_SOURCE="$source"
quiet cmake --build "$work/subdirectory"
runs "$work/subdirectory/host"

echo "wsfan-keygen"
quiet "$prefix/bin/wsfan-keygen" "$work/mesh.key"
grep -q secret-key "$work/mesh.key_secret"

if pkg-config --exists 'libczmq >= 4.2'; then
    echo "wsfan, without being told where its library is"
    quiet env LD_LIBRARY_PATH= "$prefix/bin/wsfan" keygen "$work/other.key"
    for file in man/man1/wsfan.1 bash-completion/completions/wsfan zsh/site-functions/_wsfan; do
        [ -s "$prefix/share/$file" ] || { echo "$file is not installed"; exit 1; }
    done
fi

echo "each header, alone, in each language"
headers=$(cd "$source/include/wsfan" && ls ./*.h | sed 's|^\./||') # adapters: tests/adapters
[ "$(ls "$prefix/include/wsfan/adapters")" = "$(ls "$source/include/wsfan/adapters")" ] ||
    { echo "not all adapters are installed"; exit 1; }
for header in $headers; do
    [ -e "$prefix/include/wsfan/$header" ] || [ "$header" = beacon.h ] || [ "$header" = nats.h ] ||
        { echo "$header is not installed"; exit 1; }
    echo "#include <wsfan/$header>" >"$work/include"
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        for language in "c -std=c99" "c -std=c11" "c++ -std=c++11" "c++ -std=c++17"; do
            # shellcheck disable=SC2086 # a list of words
            quiet $compiler -x $language -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
                -I"$source/include" -fsyntax-only "$work/include"
        done
    done
done
[ "$(wc -l <"$source/include/wsfan/wsfan.h")" -le 500 ] || { echo "wsfan.h is too long to be read"; exit 1; }

echo "exported symbols"
# same_symbols LIBRARY HEADER...: a library exports what its headers declare, and nothing else
same_symbols() {
    nm -D --defined-only "$1" | awk '{ print $3 }' | sed 's/@.*//' | sort >"$work/exported"
    shift
    for header in "$@"; do
        echo "#include <wsfan/$header>" | cc -E -I"$source/include" -x c - |
            awk -v file="wsfan/$header\"" '/^#/ { own = index($0, file); next } own' |
            tr '\n' ' ' | tr ';' '\n' |
            sed -n 's/.*visibility("default").*[ *]\(wsfan_[a-z_]*\)(.*/\1/p' >"$work/functions"
        cat "$work/functions"
    done | sort >"$work/declared"
    [ -s "$work/declared" ] || { echo "no declarations found"; exit 1; }
    diff "$work/declared" "$work/exported" ||
        { echo "$*: declared (<) and exported (>) differ"; exit 1; }
}
# shellcheck disable=SC2086 # a list of words
same_symbols "$library" $(echo "$headers" | grep -vx -e beacon.h -e nats.h)
case $(readlink "$library") in
libwsfan.so.[0-9]*) ;;
*) echo "no soname link: $(ls -l "$library")"; exit 1 ;;
esac
if readelf -d "$library" | grep -q -e czmq -e nats; then
    echo "libwsfan must not bring czmq or libnats along"
    exit 1
fi

# addition NAME LIBRARY: an addition to libwsfan, where what it needs is there
addition() {
    added=$LD_LIBRARY_PATH/libwsfan-$1.so
    [ -e "$added" ] || { echo "no $2, no libwsfan-$1"; return 0; }
    echo "libwsfan-$1"
    same_symbols "$added" "$1.h"
    # shellcheck disable=SC2046 # lists of words
    {
        quiet cc -std=c99 -Wall -Wextra -Wpedantic -Werror "$here/$1.c" \
            $(pkg-config --cflags --libs "wsfan-$1") -o "$work/$1"
        cp "${added%.so}.a" "$work/archive"
        quiet cc -std=c99 "$here/$1.c" -L"$work/archive" \
            $(pkg-config --cflags --static --libs "wsfan-$1") -o "$work/$1-static"
        quiet c++ -x c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror "$here/$1.c" \
            $(pkg-config --cflags --libs "wsfan-$1") -o "$work/$1-cplusplus"
    }
    runs "$work/$1"
    runs env LD_LIBRARY_PATH= "$work/$1-static"
    runs "$work/$1-cplusplus"
    quiet cmake -S "$here/find_package" -B "$work/find_package" "-DADDITION=$1"
    quiet cmake --build "$work/find_package"
    runs "$work/find_package/$1"
    runs "$work/find_package/$1_static"
}
addition beacon czmq
addition nats libnats
