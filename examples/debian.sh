# shellcheck shell=sh
# Sourced by scripts that need Debian packages: installs those that are missing, and says nothing
# when none is.

# What the library and echo-chat are built with.
echo_chat_packages="build-essential cmake pkg-config libzmq3-dev libmsgpack-dev libsodium-dev
    libxxhash-dev libc-ares-dev libuv1-dev libssl-dev libjansson-dev"

# node_packages: the packages of node; none where there is one already, if it is not Debian's.
node_packages() {
    if ! command -v npm >/dev/null ||
        ! node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)'; then
        echo nodejs npm
    fi
}

# need_packages PACKAGE...
need_packages() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    echo "installing:$missing"
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    log=$(mktemp)
    # shellcheck disable=SC2086 # lists of words
    if ! { $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
            --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        echo "could not install:$missing" >&2
        return 1
    fi
    rm -f "$log"
}
