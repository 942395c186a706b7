#!/usr/bin/env bash
# Builds the Debian package and prints where it is.
#
#   deploy/package.sh                  what is shipped: target/debian/rstscope_VERSION_amd64.deb
#   PROFILE=dev deploy/package.sh      with the quick build, for tests of the package itself
#   VERSION=9.9.9-1 deploy/package.sh  another version, to test upgrades
#
# Manual page and completions are printed by the very binary that goes in. cargo-deb is built once into
# ${XDG_CACHE_HOME:-~/.cache}/rstscope/cargo-deb.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${PROFILE:-release}
cargo_deb_version=3.8.0
tools=${XDG_CACHE_HOME:-$HOME/.cache}/rstscope/cargo-deb
if ! "$tools/bin/cargo-deb" --version 2>/dev/null | grep -qF "$cargo_deb_version"; then
    # Built without optimization: it is run once and packs a few megabytes. Compresses by xz(1).
    CARGO_TARGET_DIR=$tools/target cargo install -q --debug --locked --no-default-features \
        --root "$tools" --version "$cargo_deb_version" cargo-deb >&2
    rm -rf "$tools/target"
fi

cargo build -q --locked -p rstscope --profile "$profile" >&2
target=${CARGO_TARGET_DIR:-target}
built=$target/$([ "$profile" = dev ] && echo debug || echo "$profile")
texts=$built/package
mkdir -p "$texts"
"$built/rstscope" man | gzip -9n >"$texts/rstscope.1.gz"
"$built/rstscope" completions bash >"$texts/rstscope.bash"
"$built/rstscope" completions zsh >"$texts/_rstscope"
"$built/rstscope" completions fish >"$texts/rstscope.fish"

options=(--no-build --profile "$profile" --package rstscope --fast)
if [ "$profile" = release ]; then options=(--no-build --package rstscope); fi
if [ -n "${VERSION:-}" ]; then options+=(--deb-version "$VERSION"); fi
PATH=$tools/bin:$PATH cargo deb --locked "${options[@]}" --quiet >&2
ls -t "$target"/debian/rstscope_*.deb | head -1
