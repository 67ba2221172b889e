#!/usr/bin/env bash
# The paper's experiments in miniature: the built-in model on synthetic worlds of held-out seeds (930000 and up; training used
# 910000 to 919999 and 900001, choices were made on 920000 to 929999). Tables and figures go to docs/miniature.
#
#   bash scripts/miniature.sh PART...     window: 500 videos in the window, open questions; 500 of stage 2
#                                         choice: multiple choice through three benchmarks' own prompts and extractors
#                                         frames: accuracy against frames and context method (Table 4, Figure 1a)
#                                         beta: the end of the ramp
#                                         pooling: the pooling grid with tokens and memory (Table 5)
#                                         lengths: short, medium and long videos (Table 1)
#                                         needle: frames x depth
# shellcheck disable=SC2086 # lists of flags
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
longsight=${CARGO_TARGET_DIR:-target}/release/longsight
work=target/miniature out=docs/miniature
export LONGSIGHT_MODEL=tiny
stage_one=which,what-number,is-there,first,next

usage() {
  sed -n '5,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

# world NAME FLAGS...: made once.
world() {
  local name=$1
  shift
  "$longsight" world make --out "$work/worlds/$name" --sizes 224x126 --frame-rates 1 --parallel 2 --quiet "$@"
}

# run NAME COMMAND...: goes on where it was interrupted; what it prints and its small files are kept.
run() {
  local name=$1 file
  shift
  "$longsight" "$@" --out "$work/$name" | tee "$out/$name.txt"
  for file in results.json sweep.json teacher_forced.svg; do
    if [ -e "$work/$name/$file" ]; then
      mkdir -p "$out/$name"
      cp "$work/$name/$file" "$out/$name/"
    fi
  done
}

# figure NAME: the first chart of a sweep's report as a file of its own.
figure() {
  local style
  style=$(tr '\n' ' ' <crates/report/src/chart.css)
  awk '/<svg/ { on = 1 } on { print } on && /<\/svg>/ { exit }' "$work/$1/report.html" |
    sed -e "s/^<figure>//" -e "1a <style>$style</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>" >"$out/$1/accuracy.svg"
}

window() {
  world stage1 --seed 930001 --videos 500 --duration-secs 32..32 --questions-per-video 12 --kinds $stage_one
  world stage2 --seed 930002 --videos 500 --duration-secs 32..32 --stage 2 --cards 4..8 --questions-per-video 24 \
    --kinds $stage_one,how-many,when,describe
  local stage
  for stage in 1 2; do
    run "window-stage$stage" eval world --data "$work/worlds/stage$stage" --frames 32 --pool uniform,2
  done
}

choice() {
  local task layout questions
  for task in videomme mlvu-dev longvideobench; do
    layout=${task%-dev} questions="--questions-per-video 6"
    [ "$layout" != videomme ] || questions= # it has three a video
    world "$layout" --layout "$layout" --seed 930003 --videos 100 --duration-secs 32..32 --kinds $stage_one $questions
    run "choice-$task" eval "$task" --data "$work/worlds/$layout" --frames 32 --pool uniform,2
  done
}

# A card shows for at least a 26th of its video, so that 32 frames meet every card, as 320 do.
long_videos="--duration-secs 300..600 --cards 4..8 --card-min-share 0.038 --questions-per-video 20 --kinds $stage_one"

# sweep NAME QUESTIONS FLAGS...: ten questions a video.
sweep() {
  local name=$1 questions=$2
  shift 2
  run "$name" eval sweep world --data "$work/worlds/long" --limit "$questions" "$@"
}

frames() {
  world long --seed 930004 --videos 30 $long_videos
  sweep frames 150 --frame-counts 32,64,128,320 --contexts none,linear,ntk,yarn,vcwe --pools uniform,2 --no-memory-runs
  figure frames
  sweep frames-no-attention-factor 100 --frame-counts 320 --contexts yarn,vcwe --pools uniform,2 --attention-factor off \
    --no-memory-runs
  sweep frames-beyond 50 --frame-counts 512 --contexts none,vcwe --pools "uniform,2;4,2,8" --no-memory-runs
}

# On validation seeds, since a model's own beta would be chosen by it.
beta() {
  world validation --seed 922004 --videos 10 $long_videos
  local beta
  for beta in 32 8 2; do
    run "beta-$beta" eval sweep world --data "$work/worlds/validation" --limit 60 --frame-counts 256 --contexts vcwe --pools uniform,2 \
      --beta "$beta" --no-memory-runs
  done
}

pooling() {
  world long --seed 930004 --videos 30 $long_videos
  sweep pooling 150 --frame-counts 320 --contexts vcwe --pools "uniform,2;uniform,4;uniform,8;4,2,4;4,2,8;8,2,8;16,2,8"
}

lengths() {
  world lengths --layout videomme --seed 930005 --videos 60 --duration-secs 30..900 --kinds $stage_one --card-min-share 0.01
  run lengths-baseline eval videomme --data "$work/worlds/lengths" --frames 32 --context none --pool uniform,2
  run lengths-vcwe eval videomme --data "$work/worlds/lengths" --frames 256 --context vcwe --pool 4,2,8
  "$longsight" eval compare "$work/lengths-baseline" "$work/lengths-vcwe" | tee "$out/lengths-compared.txt"
}

needle() {
  local context
  for context in none vcwe; do
    run "needle-$context" eval needle --world-seed 930006 --lengths 32,128,256 --depths 0,25,50,75,100 \
      --pool uniform,2 --context "$context"
  done
}

[ "$#" -gt 0 ] || usage
cargo build --release --locked --bin longsight
mkdir -p "$work" "$out"
for part in "$@"; do
  case $part in
    window | choice | frames | beta | pooling | lengths | needle) "$part" ;;
    *) usage ;;
  esac
done
sha256sum assets/tiny/model.safetensors | tee "$out/weights.sha256"
