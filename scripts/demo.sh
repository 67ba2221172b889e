#!/usr/bin/env bash
# Puts a question to a sample video. Everything that it makes lies under target/demo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh ''

demo=target/demo
question='What happens in this video?'

step() { printf '\n== %s\n' "$*"; }

run() { # BINARY ARGUMENTS...
  local binary=$1
  shift
  cargo run --release --locked --quiet --bin "$binary" -- "$@"
}

show() { # the same, printing the command first
  local argument
  printf '$'
  for argument in "$@"; do
    case $argument in
      *' '*) printf ' "%s"' "$argument" ;;
      *) printf ' %s' "$argument" ;;
    esac
  done
  printf '\n'
  run "$@"
}

step "Building longsight (the first time takes a few minutes)"
cargo build --release --locked --bin longsight --bin synthetic-video --bin seeded-checkpoint

mkdir -p "$demo"
if [ ! -f "$demo/video.mp4" ]; then
  step "Making a sample video of 20 seconds"
  run synthetic-video --seconds 20 --size 640x360 "$demo/unfinished.mp4"
  mv "$demo/unfinished.mp4" "$demo/video.mp4"
fi

step "Making a tiny checkpoint of seeded random weights"
rm -rf "$demo/checkpoint"
run seeded-checkpoint --shape tiny --seed 1 --out "$demo/checkpoint"

step "What it would take"
show longsight plan "$demo/video.mp4" --model "$demo/checkpoint"

step "The question"
# Random weights may end the answer at once; so that there is something to see, it goes on to a fixed length.
show longsight ask "$demo/video.mp4" "$question" --model "$demo/checkpoint" --max-new-tokens 24 --ignore-eos

cat <<'END'

The weights of this checkpoint are random: the answer above means nothing. It shows that the program works from the
video file to the answer. For real answers name a real checkpoint, for example (about 2 GB, downloaded once):

  cargo run --release --bin longsight -- ask VIDEO "QUESTION" --model llava-hf/llava-onevision-qwen2-0.5b-ov-hf
END
