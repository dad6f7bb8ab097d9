#!/bin/sh
# Installs the manuals and checks that each function that a library of BUILD exports has a manual page, and that no
# text is cut; that no link of the HTML leads nowhere; and that a function without a comment ends the build.
#   sh tests/package/manuals.sh SOURCE BUILD WORK
set -eu
source=$1
build=$2
work=$3
for program in doxygen cmark-gfm node; do
    command -v $program >/dev/null || { echo "$program is not installed"; exit 1; }
done
rm -rf "$work"
mkdir -p "$work/tree"
ln -s "$source"/* "$work/tree"
rm "$work/tree/include"
cp -r "$source/include" "$work/tree"

# manuals NAME: makes them of $work/tree
manuals() {
    cmake -S "$work/tree" -B "$work/$1" -DWSFAN_DOCS=ON -DWSFAN_BUILD_TESTS=OFF \
        -DWSFAN_BUILD_EXAMPLES=OFF && cmake --build "$work/$1" --target docs
}

manuals good >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
! grep -i warning "$work/log"
cmake --install "$work/good" --component manuals --prefix "$work/prefix" >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
pages=$(dirname "$(find "$work/prefix" -name wsfan.h.3)")

# has_page NAME: a page that tells of it, or leads to one that does
has_page() {
    page=$pages/$1.3
    [ -f "$page" ] || return 1
    to=$(sed -n 's|^\.so man3/||p' "$page")
    grep -q "\\\\fB.*$1" "$pages/${to:-$1.3}"
}

failed=
count=0
for library in "$build/libwsfan.so" "$build/lib/beacon/libwsfan-beacon.so" "$build/lib/nats/libwsfan-nats.so"; do
    [ -e "$library" ] || continue
    for symbol in $(nm -D --defined-only "$library" | awk '{ print $3 }' | sed 's/@.*//'); do
        count=$((count + 1))
        has_page "$symbol" || { echo "no manual page: $symbol"; failed=yes; }
    done
done
echo "$count functions"
[ "$count" -gt 0 ]
! has_page wsfan_nothing
html=$(dirname "$(find "$work/prefix" -name index.html ! -path '*/reference/*')")
[ -f "$html/reference/wsfan_8h.html" ] || { echo "no HTML"; failed=yes; }
node "$source/tests/links.mjs" --html "$html" || failed=yes
echo '<a href="docs/deploying.html#nothing">' >>"$html/index.html"
! node "$source/tests/links.mjs" --html "$html" >/dev/null || { echo "a dead link is not found"; failed=yes; }
# Doxygen takes the second dot of "10.. " for the end of a sentence.
! grep -n '\\&\. \\&\.' "$pages"/* || { echo "a text is cut within a range"; failed=yes; }
for page in "$pages"/*; do
    case ${page##*/} in
    wsfan*.3 | WSFAN*.3) ;;
    *) echo "not our name: $page"; failed=yes ;;
    esac
done

sed -i 's/^WSFAN_API const char \*wsfan_version(void);/&\nWSFAN_API void wsfan_bare(void);/' \
    "$work/tree/include/wsfan/wsfan.h"
! manuals bad >"$work/log" 2>&1 || { echo "a function without a comment is not found"; failed=yes; }
grep -q 'wsfan_bare.*not documented' "$work/log" || { cat "$work/log"; failed=yes; }
[ -z "$failed" ]
