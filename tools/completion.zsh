#compdef wsfan
# Completion of wsfan for zsh. Commands and options come from its own help.
_wsfan() {
    local -a found
    if ((CURRENT == 2)); then
        found=(${(f)"$(wsfan --help 2>/dev/null | awk '/^  [a-z]/ && $1 != "wsfan" { print $1 ":" substr($0, 36) }')"})
        _describe command found
        return
    fi
    case $words[CURRENT-1] in
    --key | --allow | --config | --nats-creds | --nats-nkey-file | --nats-ca | --nats-cert | --nats-key) _files && return ;;
    esac
    found=(${(f)"$(wsfan $words[2] --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p')"})
    compadd -- $found
    [[ $words[2] != keygen ]] || _files
}
_wsfan "$@"
