#!/usr/bin/env bash
# What three questions on one video cost compared with one: LLaVA-OneVision 0.5B's shape with seeded random weights, 64 frames,
# answers of exactly 16 tokens. Prints a Markdown table; the two settings run in turn, each in its own process, and
# seconds are those from the first question to the last answer (the weights' loading is not counted). The last column is
# all three questions over the first one of the same process, which other work on the machine disturbs less.
# Usage: measure-sharing.sh [ROUNDS [FRAMES [TOWER_LAYERS]]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rounds=${1:-3} frames=${2:-64} tower_layers=${3:-26}

cargo build --release --locked --bin longsight --bin seeded-checkpoint
bin=${CARGO_TARGET_DIR:-target}/release work=target/measure-sharing
mkdir -p "$work"
model=$work/ov-0.5b-tower$tower_layers
[ -d "$model" ] || "$bin/seeded-checkpoint" --shape 0.5b --dtype bf16 --layout hf \
  --tower-layers "$tower_layers" --seed 1 --out "$model"
[ -d "$work/world" ] || "$bin/longsight" world make --layout videomme --videos 1 --duration-secs 120 --quiet \
  --codecs h264 --sizes 640x360 --out "$work/world"

grep -m1 'model name' /proc/cpuinfo || true
echo "$(nproc) cores, weights bf16, tower of $tower_layers layers, $frames frames"
echo
echo "| round | one question s | three questions s | ratio | three / first, same process |"
echo "|---|---|---|---|---|"
for round in $(seq "$rounds"); do
  for questions in 1 3; do
    rm -rf "$work/run-$questions"
    "$bin/longsight" eval videomme --data "$work/world" --model "$model" --frames "$frames" --limit "$questions" \
      --max-new-tokens 16 --ignore-eos --quiet --out "$work/run-$questions" >/dev/null
  done
  python3 - "$round" "$work" <<'P'
import json, sys
def secs(name):
    return [json.loads(line)["measured"]["total_secs"] for line in open(f"{sys.argv[2]}/{name}/responses.jsonl")]
one, three = secs("run-1"), secs("run-3")
ratios = f"{sum(three) / sum(one):.3f} | {sum(three) / three[0]:.3f}"
print(f"| {sys.argv[1]} | {sum(one):.2f} | {sum(three):.2f} | {ratios} |")
P
done
