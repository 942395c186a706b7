#!/usr/bin/env bash
# Compares rstscope with other tools: the same generated captures, in turns, on one core.
#
#   benches/peers/run.sh --install      also installs from Debian what is missing (root)
#   benches/peers/run.sh --quick        a smoke test: few packets, tcpdump only
#
# Options: --rounds N, --slow-rounds N, --packets N, --flows N, --resets PERCENT, --mixes A,B,
# --tools A,B (names or packages of tools.toml), --cpu N, --ours PROGRAM, --floor PROGRAM and
# --make-capture PROGRAM (else built), --out DIR (text, JSON and Markdown; default: beside the build),
# --publish (writes RESULTS.md beside this file).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PATH="$PATH:/usr/sbin:/sbin"
command_line="benches/peers/run.sh${*:+ $*}"

rounds=7 slow_rounds=2 packets=2000000 flows=200000 resets=2 mixes=small,imix
tools='' cpu='' ours='' floor='' make_capture='' out='' install=no quick=no publish=no
while [ $# -gt 0 ]; do
    case $1 in
        --install) install=yes; shift; continue ;;
        --quick) quick=yes; shift; continue ;;
        --publish) publish=yes; shift; continue ;;
        -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit ;;
    esac
    [ $# -ge 2 ] || { echo "run.sh: $1 wants a value, or is unknown (--help)" >&2; exit 1; }
    case $1 in
        --rounds) rounds=$2 ;;
        --slow-rounds) slow_rounds=$2 ;;
        --packets) packets=$2 ;;
        --flows) flows=$2 ;;
        --resets) resets=$2 ;;
        --mixes) mixes=$2 ;;
        --tools) tools=$2 ;;
        --cpu) cpu=$2 ;;
        --ours) ours=$2 ;;
        --floor) floor=$2 ;;
        --make-capture) make_capture=$2 ;;
        --out) out=$2 ;;
        *) echo "run.sh: unknown option $1 (--help)" >&2; exit 1 ;;
    esac
    shift 2
done
if [ $quick = yes ]; then
    rounds=1 packets=100000 flows=10000 mixes=small tools=tcpdump
    if ! command -v tcpdump >/dev/null; then
        echo "SKIPPED: tcpdump is not installed" >&2
        [ "${CI:-}" != true ]
        exit
    fi
fi
[ $install = no ] || "$here/install.sh"

build() { # folder of binaries; builds what was not given
    local target=${CARGO_TARGET_DIR:-$here/../../target}
    if [ -z "$ours" ]; then
        (cd "$here/../.." && cargo build --release --locked -p rstscope) >&2
        ours=$target/release/rstscope
    fi
    if [ -z "$floor" ] || [ -z "$make_capture" ]; then
        (cd "$here/../.." && cargo build --release --locked -p benches --bins) >&2
        floor=${floor:-$target/release/floor} make_capture=${make_capture:-$target/release/make_capture}
    fi
    ours=$(realpath "$ours") floor=$(realpath "$floor")
    out=${out:-$target/peers}
}
build
mkdir -p "$out"

memory=/dev/shm
[ -d $memory ] || memory=${TMPDIR:-/tmp}
scratch=$(mktemp -d "$memory/rstscope-peers.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
captures=()
for mix in ${mixes//,/ }; do
    "$make_capture" --mix "$mix" --packets "$packets" --flows "$flows" --resets "$resets" "$scratch/$mix.pcap"
    captures+=("$mix=$scratch/$mix.pcap")
done
"$make_capture" --mix imix --packets 4000 --flows 100 --resets 2 "$scratch/words.pcap"

options=(--packets "$packets" --words "$scratch/words.pcap" --ours "$ours" --floor "$floor"
    --rounds "$rounds" --slow-rounds "$slow_rounds" --scratch "$scratch" --command "$command_line"
    --json "$out/results.json" --markdown "$out/RESULTS.md")
[ -z "$tools" ] || options+=(--tools "$tools")
[ -z "$cpu" ] || options+=(--cpu "$cpu")
python3 "$here/compare.py" "${captures[@]}" "${options[@]}" | tee "$out/results.txt"
[ $publish = no ] || cp "$out/RESULTS.md" "$here/RESULTS.md"
echo "written: $out/results.txt, results.json, RESULTS.md" >&2
