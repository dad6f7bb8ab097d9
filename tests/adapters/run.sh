#!/bin/sh
# Every header of include/wsfan/adapters, compiled as C99 and as C++11, and run:
#   sh tests/adapters/run.sh SOURCE-DIRECTORY BUILD-DIRECTORY WORK-DIRECTORY
set -eu
source=$1
build=$2
work=$3
here=$source/tests/adapters
rm -rf "$work"
mkdir -p "$work"
export LD_LIBRARY_PATH="$build"

# What pkg-config says, as system headers: their warnings are not ours.
flags() {
    case $1 in
    libevent) pkg-config --cflags --libs libevent_core ;;
    libev) echo -lev ;;
    glib) pkg-config --cflags --libs glib-2.0 ;;
    poll) ;;
    *) pkg-config --cflags --libs "$1" ;;
    esac | sed 's/-I/-isystem /g'
}

for header in "$source"/include/wsfan/adapters/*.h; do
    name=$(basename "$header" .h)
    [ "$(wc -l <"$header")" -le 100 ] || { echo "$name.h has more than 100 lines"; exit 1; }
    common="-D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror -g -I$source/include -L$build"
    # shellcheck disable=SC2046,SC2086 # lists of words
    {
        cc -std=c99 $common "$here/$name.c" -o "$work/$name-c99" -lwsfan $(flags "$name")
        c++ -std=c++11 $common -x c++ "$here/$name.c" -x none -o "$work/$name-c++11" -lwsfan $(flags "$name")
    }
    for program in "$work/$name-c99" "$work/$name-c++11"; do
        "$program" || { echo "failed: $program"; exit 1; }
        echo "$(basename "$program") runs"
    done
done
