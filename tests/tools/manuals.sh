#!/bin/sh
# The manual pages have no fault that groff or mandoc finds, and tell of each option that the programs' help does,
# and of no other; completion in bash and zsh names them too.
#   sh tests/tools/manuals.sh WSFAN ECHO-CHAT WSFAN-KEYGEN [WSFAN-ENTRY]
set -u
cd "$(dirname "$0")/../.." || exit 1
wsfan=$1
echo_chat=$2
keygen=$3
entry=${4-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=

fault() {
    echo "$1"
    failed=yes
}

# options: those in the text on standard input
options() {
    grep -oE -- '(^|[^-[:alnum:]])--[a-z][a-z-]*' | grep -oE -- '--[a-z-]+' | sort -u
}

commands=$("$wsfan" --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -vx wsfan)
[ "$(echo "$commands" | wc -l)" -ge 12 ] || fault "the help of wsfan has too few commands"
for command in $commands; do
    "$wsfan" "$command" --help
done | options >"$scratch/wsfan.help"
"$echo_chat" --help | options >"$scratch/echo-chat.help"
{ "$keygen" --help; echo --help; } | options >"$scratch/wsfan-keygen.help" # it names those of other programs
[ -z "$entry" ] || "$entry" --help | options >"$scratch/wsfan-entry.help"

for page in tools/wsfan.1 tools/wsfan-keygen.1 examples/echo-chat/echo-chat.1 ${entry:+tools/entry/wsfan-entry.1}; do
    name=$(basename "$page" .1)
    [ -z "$(groff -ww -man -Tutf8 -z "$page" 2>&1)" ] || fault "groff: $page"
    if command -v mandoc >/dev/null; then
        mandoc -Tlint -W warning "$page" || fault "mandoc: $page"
    fi
    sed 's/\\-/-/g' "$page" | options >"$scratch/$name.page"
    cmp -s "$scratch/$name.help" "$scratch/$name.page" ||
        fault "$page and the help of $name: $(diff "$scratch/$name.help" "$scratch/$name.page" | grep '^[<>]')"
done
for command in $commands; do
    grep -qE "^\.(B|BI|BR) \"?$command\b" tools/wsfan.1 || fault "tools/wsfan.1 lacks $command"
done

# completed WORD...: what bash completes the last word to, after the others
completed() {
    PATH=$(dirname "$wsfan"):$PATH bash -c '. tools/completion.bash
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _wsfan && printf "%s\n" "${COMPREPLY[@]}"' bash "$@" 2>"$scratch/err"
}
[ "$(completed wsfan '' | grep -v '^--' | sort)" = "$(echo "$commands" | sort)" ] || fault "bash completes no commands"
[ "$(completed wsfan doc)" = doctor ] || fault "bash does not complete a command"
[ "$(completed wsfan nodes --js)" = --json ] || fault "bash does not complete an option"
[ ! -s "$scratch/err" ] || fault "$(cat "$scratch/err")"
if command -v zsh >/dev/null; then
    cp tools/completion.zsh "$scratch/_wsfan"
    # As a terminal would: what stands after a tab.
    PATH=$(dirname "$wsfan"):$PATH zsh -f -c '
        zmodload zsh/zpty
        zpty shell "TERM=dumb zsh -f -i"
        zpty -w shell "PS1=; fpath=('"$scratch"' \$fpath); autoload -Uz compinit; compinit -u -D; print READY"
        zpty -r shell said "*READY*READY*"
        zpty -w -n shell "wsfan doc"$'"'\t'"'
        zpty -r shell said "*doctor*" && print -r -- completed
        zpty -d shell' | grep -q completed || fault "zsh does not complete a command"
fi
[ -z "$failed" ]
