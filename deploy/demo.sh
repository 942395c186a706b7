#!/usr/bin/env bash
# Ten real resets, sensed live: installs what is missing, builds, runs `rstscope demo`.
# Without root it replays a recording of the same, and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" -eq 0 ]; then deploy/prepare.sh demo; fi
exec cargo run --release --locked -- demo "$@"
