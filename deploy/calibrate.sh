#!/usr/bin/env bash
# Refits the weights of the evidence and the bases of the rules on resets that real kernels made, and
# shows what that did to a run that was never fitted on. Root; a minute or two a seed, then two builds.
#
#   deploy/calibrate.sh [FOLDER]          captures, truths, reports and pictures go there (target/calibrate)
#
#   TRAIN="1 2 3 4"   seeds to fit on         TEST=99    seed to judge by, never fitted on
#   REPEAT=3          times each scenario     FLOOD=5    seed of the innocents to fit on; empty for none
#   EXTRA="a.pcap a.csv ..."   further captures to fit on
#   CHECK="DIR DIR/labels.csv"                real captures to judge by as well, never fitted on: the lab's
#                                             mix of causes is not the wild's, so look at these before committing
#   WEIGHTS=keep      fits the bases of the rules only
#
# Captures that are there already are used again. What it writes: classifiers/src/weights/*.rs. Read the
# difference, run the tests, renew the snapshots (rstscope/tests/captures/README.md), commit.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-target/calibrate}
read -ra train <<<"${TRAIN:-1 2 3 4}"
read -ra extra <<<"${EXTRA:-}"
read -ra check <<<"${CHECK:-}"
test_seed=${TEST:-99}
flood_seed=${FLOOD-5}
options=()
[ "${WEIGHTS:-fit}" = keep ] && options=(--keep-weights)
mkdir -p "$folder"

# Round trips and taps differ from seed to seed, so that no weight learns the lab's own distances.
play() {
    local seed=$1 path="$folder/seed-$1"
    [ -s "$path.pcap" ] && [ -s "$path.csv" ] && return
    local tap=()
    if ((seed % 4 == 0)); then tap=(--tap-server-side); fi
    # A scenario that a busy machine failed to play has no truth; all others are as good as ever.
    cargo run -q -p lab -- run --all --repeat "${REPEAT:-3}" --seed "$seed" --family mixed \
        --client-delay $((5 + seed * 7 % 20)) --server-delay $((5 + seed * 11 % 30)) "${tap[@]}" \
        --capture "$path.pcap" --truth "$path.csv" >"$path.log" 2>&1 ||
        grep -A9 '^Error: [0-9]* scenarios failed' "$path.log" >&2
}

flood() {
    local path="$folder/flood-$1"
    [ -s "$path.pcap" ] && [ -s "$path.csv" ] && return
    cargo run -q -p lab -- flood --flows 1500 --seed "$1" --capture "$path.pcap" --truth "$path.csv" >"$path.log"
}

evaluate() {
    cargo run -q -p rstscope -- evaluate "$folder/seed-$test_seed.pcap" "$folder/seed-$test_seed.csv" \
        --plot "$folder/$1.svg" >"$folder/$1.txt"
    grep -E "$figures" "$folder/$1.txt"
    ((${#check[@]})) || return 0
    echo "== $1, real captures"
    cargo run -q -p rstscope -- evaluate "${check[@]}" --plot "$folder/$1-real.svg" >"$folder/$1-real.txt"
    grep -E "$figures" "$folder/$1-real.txt"
}
figures='^(endpoints|not an|ORIGIN|CAUSE|CALIBRATION)'

fit() {
    cargo run -q -p rstscope -- fit "$@" "${options[@]}" "${pairs[@]}" "${extra[@]}"
}

cargo build -q -p lab -p rstscope
pairs=()
for seed in "${train[@]}"; do
    play "$seed"
    pairs+=("$folder/seed-$seed.pcap" "$folder/seed-$seed.csv")
done
if [ -n "$flood_seed" ]; then
    flood "$flood_seed"
    pairs+=("$folder/flood-$flood_seed.pcap" "$folder/flood-$flood_seed.csv")
fi
play "$test_seed"

echo "== as it is, seed $test_seed"
evaluate before
stamp="$(date +%F), deploy/calibrate.sh, seeds ${train[*]}"
echo "== fit"
fit --write --stamp "$stamp" | tee "$folder/fit.txt"
# The verdicts that bases are counted on depend a little on the weights: a second fit settles them.
if ! fit --check >/dev/null 2>&1; then
    echo "== second fit"
    fit --write --stamp "$stamp" >"$folder/fit.txt"
    fit --check >/dev/null || echo "the tables have not settled" >&2
fi
if ((${#options[@]} == 0)); then
    echo "== other evidence, labelled by proofs (compared only)"
    fit --by-proofs | tee "$folder/fit-by-proofs.txt"
fi
echo "== fitted, seed $test_seed"
evaluate after
