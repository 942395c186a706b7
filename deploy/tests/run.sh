#!/usr/bin/env bash
# Tests of everything in deploy/: package, unit, appliance, samples, alerts, dashboard, container, role.
#
#   deploy/tests/run.sh                  all
#   deploy/tests/run.sh test_service     one file, or test_service.Service.test_it_verifies
#
# Needs root, namespaces and the programs of `deploy/prepare.sh test`; without root it says so and, with CI=true, fails.
# The first run fetches a Debian (debootstrap) and builds cargo-deb; both are kept in ${XDG_CACHE_HOME:-~/.cache}/rstscope.
set -euo pipefail
cd "$(dirname "$0")"
if [ "$(id -u)" -ne 0 ]; then
    echo "SKIPPED: tests of deploy/ need root: they boot a Debian in namespaces" >&2
    if [ "${CI:-}" = true ]; then exit 1; fi
    exit 0
fi
export PATH="$PATH:/usr/sbin:/sbin" PYTHONDONTWRITEBYTECODE=1
if [ $# -gt 0 ]; then exec python3 -m unittest --verbose "$@"; fi
exec python3 -m unittest discover --verbose
