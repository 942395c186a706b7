#!/usr/bin/env bash
# Measures the constants of SCALING.md and prints them with the model. With --write as the first
# argument they replace those in SCALING.md. Other arguments go to the bench (--help lists them).
# Wants valgrind, and minutes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
write=no
if [ "${1:-}" = --write ]; then write=yes; shift; fi
command -v valgrind >/dev/null || { echo "scaling.sh: valgrind is not installed" >&2; exit 1; }

figures=$(mktemp)
trap 'rm -f "$figures"' EXIT
{
    echo "$(date +%F), load $(cut -d ' ' -f 1 /proc/loadavg): \`benches/scaling.sh${*:+ $*}\`"
    echo
    (cd "$here/.." && cargo bench --locked -p benches --bench scaling -- "$@")
} | tee "$figures"
[ $write = yes ] || exit 0
python3 - "$here/SCALING.md" "$figures" <<'PYTHON'
import sys
from pathlib import Path

page, figures = Path(sys.argv[1]), Path(sys.argv[2]).read_text().rstrip()
begin, end = "<!-- figures -->\n", "<!-- end of figures -->"
text = page.read_text()
head, rest = text.split(begin, 1)
page.write_text(f"{head}{begin}\n{figures}\n\n{end}{rest.split(end, 1)[1]}")
PYTHON
echo "written: $here/SCALING.md" >&2
