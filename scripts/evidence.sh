#!/usr/bin/env bash
# How often evidence points at the moment that holds the answer: the built-in model on synthetic videos of 1 to 60 minutes,
# questions about one card each. Heads are chosen on worlds of seed 923001, results are of seed 930007 (held out, as in
# scripts/miniature.sh). Tables go to docs/evidence.
#
#   bash scripts/evidence.sh heads      which heads point best, on the videos for choosing
#   bash scripts/evidence.sh measure    the table by length, context method and pooling, on the held-out videos
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
longsight=${LONGSIGHT:-${CARGO_TARGET_DIR:-target}/release/longsight}
work=target/evidence out=docs/evidence
export LONGSIGHT_MODEL=tiny

# world NAME SEED VIDEOS: made once.
world() {
  "$longsight" world make --out "$work/$1" --seed "$2" --videos "$3" --duration-secs 60..3600 --sizes 224x126 --frame-rates 1 \
    --codecs h264 --cards 4..8 --card-min-share 0.01 --questions-per-video 20 --kinds which,what-number,is-there --parallel 2 --quiet
}

# measure NAME FLAGS...
measure() {
  local name=$1
  shift
  "$longsight" eval evidence --quiet "$@" | tee "$out/$name.txt"
}

mkdir -p "$out"
case ${1:-} in
heads)
  world choosing 923001 20
  measure heads --data "$work/choosing" --frames 256 --by-head
  ;;
measure)
  world held-out 930007 60
  for context in vcwe none; do
    for pool in 4,2,8 uniform,2; do
      printf '\n== 256 frames, --context %s --pool %s\n' "$context" "$pool"
      measure "256-$context-$pool" --data "$work/held-out" --frames 256 --context "$context" --pool "$pool"
    done
  done
  printf '\n== 256 frames, --context vcwe --pool 4,2,8, all heads\n'
  measure 256-all-heads --data "$work/held-out" --frames 256 --evidence-heads all
  printf '\n== 64 frames, --context vcwe --pool 4,2,8\n'
  measure 64-vcwe-4,2,8 --data "$work/held-out" --frames 64
  ;;
*)
  sed -n '6,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
  ;;
esac
