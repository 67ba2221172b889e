#!/usr/bin/env bash
# This tree compared with another commit of longsight: tower, prefill and decoding of one shape, in turn, in paired rounds.
# Prints a table: the median of the rounds' ratios and an interval of 95% for it. JSON goes to target/bench/commits.json.
#
#   bash scripts/bench-commits.sh COMMIT [--rounds N] [--dtypes D,..] [-- FLAGS of longsight-bench stages]
#
# COMMIT is built in target/bench/COMMIT (minutes). Have nothing else running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ $# = 0 ] || [ "${1#-}" != "$1" ]; then
  echo "error: name a commit: bash scripts/bench-commits.sh COMMIT [--rounds N] [--dtypes D,..]" >&2
  exit 2
fi
commit=$(git rev-parse --short --verify "$1^{commit}")
shift
tree=$PWD/target/bench/$commit

if [ ! -x "$tree/target/release/longsight-bench" ]; then
  rm -rf "$tree"
  mkdir -p "$tree"
  git archive "$commit" | tar -x -C "$tree"
  CARGO_TARGET_DIR=$tree/target cargo build --release --locked -p longsight-bench --manifest-path "$tree/Cargo.toml"
fi
cargo build --release --locked -p longsight-bench
exec "${PYTHON:-python3}" tools/bench/commits.py --before "$tree/target/release/longsight-bench" --before-name "$commit" \
  --after-name "$(git describe --always --dirty --exclude '*')" --after "${CARGO_TARGET_DIR:-target}/release/longsight-bench" --report target/bench/commits.json "$@"
