#!/usr/bin/env bash
# Installs from Debian 12 the tools of tools.toml that are missing; Suricata from its backports, which
# are read for this one call and not added to the machine's sources. Starts no daemon.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" -eq 0 ] || { echo "install.sh: needs root" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive PATH="$PATH:/usr/sbin:/sbin"

packages() { # suite, or "own" for that of the machine
    python3 - "$here/tools.toml" "$1" <<'PYTHON'
import sys, tomllib
for tool in tomllib.load(open(sys.argv[1], "rb"))["tool"]:
    if tool.get("suite", "own") == sys.argv[2]:
        print(*filter(None, [tool.get("package")]), *tool.get("helpers", []), sep="\n")
PYTHON
}
missing() {
    local package
    for package in $(packages "$1" | sort -u); do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
    done
}

if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 0755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
mapfile -t own < <(missing own)
if [ ${#own[@]} -gt 0 ]; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${own[@]}" >&2
fi
mapfile -t backports < <(missing bookworm-backports)
if [ ${#backports[@]} -gt 0 ]; then
    lists=$(mktemp -d)
    mkdir -p "$lists/partial"
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    for suite in bookworm bookworm-backports; do
        echo "deb [signed-by=$key] http://deb.debian.org/debian $suite main"
    done >"$lists/sources.list"
    apt=(apt-get -qq -o "Dir::Etc::sourcelist=$lists/sources.list" -o Dir::Etc::sourceparts=-
        -o "Dir::State::lists=$lists")
    "${apt[@]}" update
    "${apt[@]}" install -y --no-install-recommends -t bookworm-backports "${backports[@]}" >&2
    rm -rf "$lists"
fi
