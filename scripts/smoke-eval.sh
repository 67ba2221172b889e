#!/usr/bin/env bash
# Benchmarks from end to end on synthetic folders in each benchmark's layout, with a tiny checkpoint of random weights,
# and the reports opened in a headless browser. Everything that it makes lies under target/smoke-eval.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh ''

cargo build --release --locked --bin longsight --bin seeded-checkpoint
bin=${CARGO_TARGET_DIR:-target}/release work=target/smoke-eval
rm -rf "$work"
mkdir -p "$work"
"$bin/seeded-checkpoint" --shape tiny --seed 1 --out "$work/checkpoint"
# Random weights may end an answer at once; so that there is something to extract, they go on.
model=(--model "$work/checkpoint" --quiet --ignore-eos --max-new-tokens 8)

reports=()
for pair in videomme:videomme videomme-subs:videomme mlvu-dev:mlvu longvideobench:longvideobench \
  longvideobench-subs:longvideobench; do
  task=${pair%:*} layout=${pair#*:}
  [ -d "$work/$layout" ] || "$bin/longsight" world make --layout "$layout" --videos 4 --duration-secs 6..20 \
    --cards 2..3 --sizes 160x90 --quiet --out "$work/$layout"
  "$bin/longsight" eval "$task" --data "$work/$layout" --frames 8 "${model[@]}" --out "$work/runs/$task" >"$work/table"
  head -n 2 "$work/table"
  reports+=("$work/runs/$task/report.html")
done
"$bin/longsight" eval sweep videomme --data "$work/videomme" --frame-counts 4,8 --contexts none,vcwe "${model[@]}" \
  --limit 6 --out "$work/runs/sweep" >/dev/null
reports+=("$work/runs/sweep/report.html")
"$bin/longsight" eval needle --lengths 8,16 --depths 0,50,100 "${model[@]}" --out "$work/runs/needle" | tail -n 1
"$bin/longsight" eval compare "$work/runs/videomme" "$work/runs/videomme" --report "$work/compare.html" >/dev/null
bash scripts/check-report.sh "${reports[@]}" "$work/compare.html"
