#!/usr/bin/env bash
# The page of the collector: collector/web/ made into collector/web/dist/, which is part of the repository and
# of the program, so that cargo needs no Node.js.
#
#   deploy/web.sh            builds it anew
#   deploy/web.sh --check    builds it anew elsewhere and compares byte for byte; then tests it: its pure parts,
#                            and the page in headless Chromium against a real store
set -euo pipefail
cd "$(dirname "$0")/../collector/web"

npm ci --no-audit --no-fund --loglevel=error
if [ "${1:-}" != --check ]; then
    npm run --silent build
    exit 0
fi
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
npx tsc --noEmit
npx vite build --logLevel=error --emptyOutDir --outDir "$fresh/dist"
if ! diff -r dist "$fresh/dist" >&2; then
    echo "web: collector/web/dist is not what its source gives: run deploy/web.sh and commit it" >&2
    exit 1
fi
npx vitest run --reporter=dot
cd ../..
cargo build -q --locked -p collector --example page
target="${CARGO_TARGET_DIR:-target}"
node collector/web/browser/run.mjs "$target/debug/examples/page" lab/captures/demo.pcap "$target/page"
