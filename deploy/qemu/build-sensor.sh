#!/usr/bin/env bash
# Builds rstscope as one static file, which runs on any Linux, and prints where it is.
#
# Quickly, not optimised: for emulated machines (a release is built the same way with --release). It has a folder of
# its own beneath the target folder, so that it neither waits for other builds nor undoes them.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-$PWD/target}/static
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-feature=+crt-static"
cargo build --quiet --locked -p rstscope --target x86_64-unknown-linux-gnu --target-dir "$target" \
    --config profile.dev.opt-level=0 --config profile.dev.debug=false --config profile.dev.strip=true >&2
echo "$target/x86_64-unknown-linux-gnu/debug/rstscope"
