# Completion of wsfan for bash. Commands and options come from its own help.
_wsfan() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    case $before in
    --key | --allow | --config | --nats-creds | --nats-nkey-file | --nats-ca | --nats-cert | --nats-key) COMPREPLY=($(compgen -f -- "$word")) && return ;;
    --join | --from | --advertise) COMPREPLY=($(compgen -W 'tcp:// ipc://' -- "$word")) && compopt -o nospace && return ;;
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="--help --version $(wsfan --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -vx wsfan)"
    elif [[ $word == -* ]]; then
        words=$(wsfan "${COMP_WORDS[1]}" --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p')
    elif [ "${COMP_WORDS[1]}" = keygen ]; then
        COMPREPLY=($(compgen -f -- "$word")) && return
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _wsfan wsfan
