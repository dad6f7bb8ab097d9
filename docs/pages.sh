#!/bin/sh
# Makes pages of HTML of documents: sh docs/pages.sh CMARK VERSION DIRECTORY DOCUMENT...
# docs/README.md becomes the page where a reader starts, index.html.
set -eu
cd "$(dirname "$0")/.."
cmark=$1
version=$2
directory=$3
shift 3

page_of() {
    case $1 in
    docs/README.md) echo index.html ;;
    *) echo "${1%.md}.html" ;;
    esac
}

pages=
for document in "$@"; do
    pages="$pages $document=$(page_of "$document")"
done
for document in "$@"; do
    page=$(page_of "$document")
    mkdir -p "$(dirname "$directory/$page")"
    "$cmark" --extension table --unsafe "$document" |
        awk -v source="$document" -v page="$page" -v version="$version" -v pages="$pages" -f docs/page.awk \
            >"$directory/$page"
done
cp docs/page.css "$directory"
