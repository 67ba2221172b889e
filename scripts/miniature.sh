#!/usr/bin/env bash
# The paper's experiments in miniature: the built-in model on synthetic worlds of held-out seeds (930000 and up; training used
# 910000 to 919999 and 900001, choices were made on 920000 to 929999). Tables and figures go to docs/miniature.
#
#   bash scripts/miniature.sh PART...     window: 500 videos in the window, open questions
#                                         choice: the same through three benchmarks' own prompts and extractors
#                                         frames: accuracy against frames and context method (Table 4, Figure 1a)
#                                         pooling: the pooling grid with tokens and memory (Table 5)
#                                         lengths: short, medium and long videos (Table 1)
#                                         needle: frames x depth
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
longsight=target/release/longsight
work=target/miniature out=docs/miniature
export LONGSIGHT_MODEL=tiny
stage_one=which,what-number,is-there,first,next

usage() {
  sed -n '5,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

# world NAME FLAGS...: made once.
world() {
  local name=$1
  shift
  "$longsight" world make --out "$work/worlds/$name" --quiet "$@"
}

# keep NAME RUN FILES...: the small files of a run that git keeps.
keep() {
  local name=$1 run=$2 file
  shift 2
  mkdir -p "$out/$name"
  for file in "$@"; do
    if [ -e "$run/$file" ]; then cp "$run/$file" "$out/$name/"; fi
  done
}

window() {
  world window --seed 930001 --videos 500 --duration-secs 32..32 --frame-rates 5 --questions-per-video 17 \
    --kinds $stage_one,how-many,when,describe,$stage_one,how-many,when,which,next
  "$longsight" eval world --data "$work/worlds/window" --frames 32 --pool uniform,2 --out "$work/window" | tee "$out/window.txt"
  keep window "$work/window" results.json manifest.json
}

choice() {
  local pair task layout
  for pair in videomme:videomme mlvu-dev:mlvu longvideobench:longvideobench; do
    task=${pair%:*} layout=${pair#*:}
    world "$layout" --layout "$layout" --seed 930002 --videos 170 --duration-secs 32..32 --frame-rates 5 \
      --kinds $stage_one --questions-per-video 6
    "$longsight" eval "$task" --data "$work/worlds/$layout" --frames 32 --pool uniform,2 --out "$work/choice-$task" |
      tee "$out/choice-$task.txt"
    keep "choice-$task" "$work/choice-$task" results.json manifest.json
  done
}

# A card shows for at least a 26th of its video, so that 32 frames meet every card, as 256 do.
long_world() {
  world long --seed 930003 --videos "${VIDEOS:-40}" --duration-secs 300..600 --frame-rates 1 --sizes 224x126 --cards 4..8 \
    --card-min-share 0.038 --questions-per-video 20 --kinds $stage_one
}

# sweep NAME FLAGS...
sweep() {
  local name=$1
  shift
  "$longsight" eval sweep world --data "$work/worlds/long" --out "$work/$name" "$@" | tee "$out/$name.txt"
  keep "$name" "$work/$name" tables.md sweep.json report.html
}

frames() {
  long_world
  sweep frames --frame-counts 32,64,128,256 --contexts none,linear,ntk,yarn,vcwe --pools uniform,2 --no-memory-runs
  sweep frames-no-attention-factor --frame-counts 64,128,256 --contexts yarn,vcwe --pools uniform,2 --attention-factor off \
    --no-memory-runs
  sweep frames-progressive --frame-counts 32,128,256,512 --contexts none,vcwe --pools 4,2,8 --no-memory-runs
  local beta
  for beta in 32 16 8 4 2; do
    sweep "beta-$beta" --frame-counts 128,256 --contexts vcwe --pools uniform,2 --beta "$beta" --no-memory-runs
  done
}

pooling() {
  long_world
  sweep pooling --frame-counts 256 --contexts vcwe \
    --pools "uniform,2;uniform,4;uniform,8;4,2,4;4,2,8;8,2,4;8,2,8;16,2,4;16,2,8"
}

lengths() {
  world lengths --layout videomme --seed 930004 --videos 60 --duration-secs 30..900 --frame-rates 1 --sizes 224x126 \
    --kinds $stage_one --card-min-share 0.038 --questions-per-video 6
  local context
  for context in none vcwe; do
    "$longsight" eval videomme --data "$work/worlds/lengths" --frames 256 --context "$context" --pool uniform,2 \
      --out "$work/lengths-$context" | tee "$out/lengths-$context.txt"
    keep "lengths-$context" "$work/lengths-$context" results.json manifest.json
  done
  "$longsight" eval compare "$work/lengths-none" "$work/lengths-vcwe" | tee "$out/lengths-compared.txt"
}

needle() {
  local context
  for context in none vcwe; do
    "$longsight" eval needle --world-seed 930005 --lengths 32,64,128,256 --depths 0,20,40,60,80,100 --pool uniform,2 \
      --context "$context" --out "$work/needle-$context" | tee "$out/needle-$context.txt"
    keep "needle-$context" "$work/needle-$context" heatmap.svg results.json needle.json
  done
}

[ "$#" -gt 0 ] || usage
cargo build --release --locked --bin longsight
mkdir -p "$work" "$out"
for part in "$@"; do
  case $part in
    window | choice | frames | pooling | lengths | needle) "$part" ;;
    *) usage ;;
  esac
done
sha256sum assets/tiny/model.safetensors | tee "$out/weights.sha256"
