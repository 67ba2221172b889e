#!/usr/bin/env bash
# Peak memory against frames: one hour of 1080p H.264, LLaVA-OneVision 0.5B's shape with seeded random weights.
# Prints a Markdown table of what the receipt measured (the largest sampled resident memory of the process and its
# children) beside what `longsight plan` predicted. Usage: measure-memory.sh [TOWER_LAYERS [FRAMES...]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tower_layers=${1:-2}
shift || true
[ $# -gt 0 ] || set -- 64 128 256

cargo build --release --locked --bin longsight --bin synthetic-video --bin seeded-checkpoint
bin=target/release work=target/measure
mkdir -p "$work"
video=$work/hour-1080p.mp4 model=$work/ov-0.5b-tower$tower_layers
[ -f "$video" ] || "$bin/synthetic-video" --seconds 3600 --fps 10 --size 1920x1080 --codec h264 \
  --keyframe-secs 10 --segment-secs 60 "$video"
[ -d "$model" ] || "$bin/seeded-checkpoint" --shape 0.5b --dtype bf16 --layout hf \
  --tower-layers "$tower_layers" --seed 1 --out "$model"

grep -m1 'model name' /proc/cpuinfo || true
echo "$(nproc) cores, weights bf16, tower of $tower_layers layers"
echo
echo "| frames | visual tokens | s | KV cache MiB | peak MiB | planned MiB | planned/peak | decode s | vision s | prefill s |"
echo "|---|---|---|---|---|---|---|---|---|---|"
for frames in "$@"; do
  "$bin/longsight" ask "$video" "What happens?" --model "$model" --frames "$frames" \
    --max-new-tokens 8 --ignore-eos --quiet --json >"$work/run-$frames.json"
  python3 - "$work/run-$frames.json" <<'P'
import json, sys
r = json.load(open(sys.argv[1]))["receipt"]
mib = lambda b: f"{b / 2**20:.1f}"
peak, planned, t = r["peak_bytes"], r["memory_estimate_total_bytes"], r["timings"]
print("|", " | ".join([str(len(r["frames"])), str(r["tokens"]["visual"]), f'{r["context"]["scale"]:.3f}',
    mib(r["kv_cache"]["bytes"]), mib(peak), mib(planned), f"{planned / peak:.3f}",
    f'{t["video_decode_secs"]:.1f}', f'{t["vision_secs"]:.1f}', f'{t["prefill_secs"]:.1f}']), "|")
P
done
