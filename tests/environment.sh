# Brings what the tests and the benchmarks need, for a script that stands in the checkout's top folder.
# fast=yes: not what the tests on real hosts need.
# shellcheck shell=sh

say() { printf '\n== %s\n' "$*"; }
cannot() {
    printf 'tests/run: %s\n' "$*" >&2
    exit 2
}

# need WHAT PACKAGE: notes the package when there is neither a command nor a file of that name.
wanted=''
need() {
    [ -e "$1" ] || command -v "$1" >/dev/null 2>&1 || wanted="$wanted $2"
}

find_python() {
    for python in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
        "$python" -Ic 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
    done
    python=''
}

install_tools() {
    # after a plain `su` the folders of the system's own programs are missing
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
    need shellcheck shellcheck
    need tmux tmux
    need openssl openssl
    if [ $fast = no ]; then
        need systemd-nspawn systemd-container
        need mmdebstrap mmdebstrap
        need nft nftables
        need ip iproute2
        need sysctl procps
        need nsenter util-linux
        need mount mount
        need /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
    fi
    find_python
    [ -n "$python" ] || wanted="$wanted python3 python3-venv"
    [ -n "$wanted" ] || return 0
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        [ -n "$python" ] || cannot "a Python of 3.11 or later with venv is needed"
        [ $fast = yes ] || cannot "not installed:$wanted (root on Debian would install them)"
        return 0
    fi
    say "apt-get install$wanted"
    apt-get update -q
    # shellcheck disable=SC2086  # one word for each package
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $wanted
    find_python
    [ -n "$python" ] || cannot "this release has no Python of 3.11 or later"
}

# An environment is named by all that it is made from, so a stale one is never used.
make_environment() {
    store=${XDG_CACHE_HOME:-/var/tmp}/mailwizard-tests-$(id -u)
    key=$({
        cat requirements.txt tests/requirements.txt pyproject.toml
        pwd -P
        "$python" -VV
    } | sha256sum | cut -c 1-16)
    environment=$store/$key
    mkdir -p "$store"
    exec 9>"$store/$key.lock"
    flock 9
    if [ ! -e "$environment/complete" ]; then
        say "test environment in $environment"
        rm -rf "$environment"
        "$python" -m venv "$environment"
        pip="$environment/bin/python -m pip --disable-pip-version-check"
        $pip install -q --require-hashes -r requirements.txt -r tests/requirements.txt
        $pip install -q --no-deps --no-build-isolation -e .
        touch "$environment/complete"
    fi
    exec 9>&-
    PATH=$environment/bin:$PATH
}
