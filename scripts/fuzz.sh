#!/usr/bin/env bash
# Fuzzes every target in fuzz/ for ten minutes each, or SECS, from the seeds and what earlier runs found (fuzz/corpus). Installs
# a nightly compiler and cargo-fuzz where they are missing. What fails is in fuzz/artifacts; put it into fuzz/seeds once it is
# mended, unless it is an input that crashes outside software.
# Usage: fuzz.sh [SECS [TARGET ...]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
secs=${1:-600}
shift $(($# > 0 ? 1 : 0))
toolchain=${LONGSIGHT_FUZZ_TOOLCHAIN:-nightly}
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  targets=(fuzz/targets/*.rs)
  targets=("${targets[@]##*/}")
  targets=("${targets[@]%.rs}")
fi

rustup toolchain list | grep -q "^$toolchain" || rustup toolchain install "$toolchain" --profile minimal
cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked

failed=()
for target in "${targets[@]}"; do
  mkdir -p "fuzz/corpus/$target"
  echo "== $target, $secs s"
  cargo "+$toolchain" fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="$secs" -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 || failed+=("$target")
done
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}; see fuzz/artifacts" >&2; exit 1; }
