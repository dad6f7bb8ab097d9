# shellcheck shell=sh
# Sourced by scripts that work in other Debians: folders by debootstrap, entered by chroot in a mount namespace of their own,
# so that nothing stays mounted.

# The mirror that this machine itself uses.
mirror() {
    # shellcheck disable=SC2016 # a word of apt's
    site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' \
        'Label: Debian' 2>/dev/null | head -n 1)
    echo "${site:-http://deb.debian.org/debian}"
}

# debootstrap_into FOLDER RELEASE ARCH: as small as it can be
debootstrap_into() {
    rm -rf "$1"
    unshare --mount debootstrap --variant=minbase --arch="$3" "$2" "$1" "$(mirror)"
}

# enter_root ROOT OVER COMMAND...: with the tree, read-only, as /source. With OVER, a folder, nothing in ROOT changes: what the
# command writes is in OVER, where the next one finds it.
enter_root() {
    root=$1 over=$2
    shift 2
    if [ -n "$over" ]; then
        mkdir -p "$over/upper" "$over/work" "$over/root"
        top=$over/upper
    else
        top=$root
    fi
    mkdir -p "$top/etc/dpkg/dpkg.cfg.d" "$top/source" "$top/build"
    echo force-unsafe-io >"$top/etc/dpkg/dpkg.cfg.d/quick" # what is lost with a machine can be made again
    cp -L /etc/resolv.conf "$top/etc/resolv.conf"
    # Every installed Debian has it; debootstrap leaves it to the installer.
    [ -s "$top/etc/hosts" ] || printf '127.0.0.1 localhost\n::1 localhost\n' >"$top/etc/hosts"
    # shellcheck disable=SC2016 # words of the inner shell
    unshare --mount sh -euc 'root=$1 over=$2 source=$3
        shift 3
        if [ -n "$over" ]; then
            mount -t overlay -o "lowerdir=$root,upperdir=$over/upper,workdir=$over/work" overlay "$over/root"
            root=$over/root
        fi
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount -o bind,ro "$source" "$root/source"
        exec chroot "$root" "$@"' enter_root "$root" "$over" "$PWD" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        ${http_proxy:+"http_proxy=$http_proxy"} "$@" </dev/null
}
