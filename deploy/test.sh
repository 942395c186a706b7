#!/usr/bin/env bash
# Everything that must hold before a commit: format, lints, the XDP program as built from its
# source, all tests, and what a packet costs. As root, tests make their own network namespaces; without root those are
# skipped aloud (with CI=true a skipped test is a failed test).
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" -eq 0 ]; then deploy/prepare.sh test; fi
export PATH="$PATH:/usr/sbin:/sbin"

# The sink for Kafka is a feature of few builds: all is tested with it, so that its own tests run and nothing is built
# twice; the package that deploy/tests builds is without it.
kafka=(--features delivery/kafka)
if [ ! -e /usr/include/openssl/ssl.h ]; then
    if [ "${CI:-}" = true ]; then
        echo "test: libssl-dev is missing, so the sink for Kafka cannot be tested" >&2
        exit 1
    fi
    echo "SKIPPED: libssl-dev is missing, the sink for Kafka was not tested" >&2
    kafka=()
fi

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked "${kafka[@]}" -- -D warnings
if command -v clang-14 >/dev/null 2>&1; then
    xdp/bpf/build.sh --check
elif [ "${CI:-}" = true ]; then
    echo "test: clang-14 is missing, so the XDP program cannot be compared with its source" >&2
    exit 1
else
    echo "SKIPPED: clang-14 is missing, the XDP program was not compared with its source" >&2
fi
# Backtraces of property tests run to pages of type names.
RUST_BACKTRACE=0 cargo test --workspace --locked "${kafka[@]}"
# The page against its source, and in a browser.
if command -v npm >/dev/null 2>&1 && command -v chromium >/dev/null 2>&1; then
    deploy/web.sh --check
elif [ "${CI:-}" = true ]; then
    echo "test: npm or chromium is missing, so the page cannot be tested" >&2
    exit 1
else
    echo "SKIPPED: npm or chromium is missing, the page was not tested" >&2
fi
# Instructions a packet against benches/BUDGETS.md.
cargo run -q --locked -p benches --bin budgets -- check
# Package, unit, appliance, alerts, dashboard, container and role.
deploy/tests/run.sh
