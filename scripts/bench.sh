#!/usr/bin/env bash
# Measures longsight on this machine: its limits, the kernels, and the stages of a run as a part of those limits.
#
#   bash scripts/bench.sh [--quick] [FLAGS of longsight-bench stages, such as --shape 7b --layers 4 --dtype bf16]
#
# --quick: two layers, short prompts, few repeats and no kernels, to try it. JSON goes to target/bench. Have nothing else running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
kernels=yes limits=(--repeats 7)
if [ "${1:-}" = --quick ]; then
  shift
  kernels=no
  limits=(--repeats 3 --secs 0.05 --buffer-mib 256)
  set -- --layers 2 --frames 4 --lengths 256 --contexts 0,256 --new-tokens 8 --repeats 1 "$@"
fi

cargo build --release --locked -p longsight-bench
bench=${CARGO_TARGET_DIR:-target}/release/longsight-bench out=target/bench
mkdir -p "$out"

# show NAME TITLE ARGUMENTS...: the report on standard output, its JSON kept as NAME.json.
show() {
  local name=$1 title=$2
  shift 2
  printf '\n## %s\n\n' "$title"
  "$bench" "$@" --report "$out/$name.json"
}

show roofline "The machine's limits" roofline "${limits[@]}"
show stages "Stages" stages --roofline "$out/roofline.json" "$@"
if [ "$kernels" = yes ]; then
  show products "Large products and attention, as a part of the machine's limits" products
  printf '\n## Kernels (an item is an operation: Gitem/s is GFLOP/s)\n\n'
  cargo bench --locked -p longsight-kernels --bench kernels
fi
