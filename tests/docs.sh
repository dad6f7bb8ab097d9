#!/bin/sh
# What the documents name exists, and what they must name is there:
#   sh tests/docs.sh BUILD
# Every option is in docs/operations.md; every test that a document names, as `unit_x` or
# `cluster_x`, is a ctest of BUILD; every case in docs/security.md is one of the sources: a word of four
# parts or more, or the name of a scenario in quotes. No link leads nowhere.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
failed=

missing() {
    echo "$1"
    failed=yes
}

# fields HEADER STRUCT: the names of its fields, but for struct_size
fields() {
    sed -n "/^typedef struct $2 {/,/^} $2;/s/^    [a-z][a-z_0-9 *]*[ *]\([a-z_0-9]*\);.*/\1/p" "$1" |
        grep -vx struct_size
}

count=0
for field in $(fields include/wsfan/options.h wsfan_options) \
    $(fields include/wsfan/outbound.h wsfan_outbound_options); do
    count=$((count + 1))
    grep -q "\`$field\`" docs/operations.md || missing "docs/operations.md lacks $field"
done
[ "$count" -ge 54 ] || missing "only $count fields were found"

known=$(ctest --test-dir "$build" -N | sed -n 's/^ *Test *#[0-9]*: //p')
named=$(grep -hoE '`(unit|tools|sim|fuzz|discovery|cluster|crowd|entry|conformance|browser|kubernetes|gate|package|bench)(_[a-z_0-9]+)?`' \
    README.md SECURITY.md docs/*.md | tr -d '`' | sort -u)
for name in $named; do
    # A folder or a target may be named too.
    echo "$known" | grep -qx "$name" || [ -d "tests/$name" ] || missing "there is no test $name"
done

cases=$(grep -oE '[a-z0-9]+(_[a-z0-9]+){3,}' docs/security.md | grep -vE '^(wsfan|zmq|lws)_' | sort -u)
[ -n "$cases" ] || missing "docs/security.md names no cases"
for name in $cases; do
    grep -rqF "START_TEST($name)" tests/unit tests/tools tests/discovery tests/nats || missing "docs/security.md: there is no case $name"
done
quoted=$(grep -oE '"[^"]+"' docs/security.md | tr -d '"' | sort -u)
[ -n "$quoted" ] || missing "docs/security.md names no scenarios"
while read -r name; do
    grep -qF "scenario('$name'" tests/*/*.test.mjs || missing "docs/security.md: there is no \"$name\""
done <<END
$quoted
END

node tests/links.mjs . || failed=yes

[ -z "$failed" ]
