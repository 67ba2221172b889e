#!/usr/bin/env bash
# Makes a short video and asks the built-in model three questions about it, whose right answers are known.
# Everything that it makes lies under target/demo. SEED=n: another video. Fails where two answers of three are wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh ''

seed=${SEED:-1}
case $seed in '' | *[!0-9]*) fail "SEED=$seed: give a whole number" ;; esac
world=target/demo/video-$seed
longsight=target/release/longsight
export LONGSIGHT_MODEL=tiny
asked=0 right=0

step() { printf '\n== %s\n' "$*"; }

# field NAME ROW: what a string of a row of questions.jsonl says, or the first of a list of strings.
field() { sed -n "s/.*\"$1\":\[\{0,1\}\"\([^\"]*\)\".*/\1/p" <<<"$2"; }

# ask KIND: the first open question of this kind that the world has.
ask() {
  local row question expected answer
  row=$(grep -m 1 "\"kind\":\"$1\".*\"candidates\":\[\]" "$world/questions.jsonl") ||
    fail "no question of kind $1 in $world/questions.jsonl"
  question=$(field question "$row") expected=$(field answers "$row")
  printf '\n$ longsight ask %s "%s" --fps 1\n' "$world/videos/00000.mp4" "$question"
  answer=$("$longsight" ask "$world/videos/00000.mp4" "$question" --fps 1 --quiet)
  asked=$((asked + 1))
  if [ "$answer" = "$expected" ]; then
    right=$((right + 1))
    printf '%s          (right)\n' "$answer"
  else
    printf '%s          (wrong: it is %s)\n' "$answer" "$expected"
  fi
}

step "Building longsight (the first time takes a few minutes)"
cargo build --release --locked --bin longsight

if [ ! -f "$world/questions.jsonl" ]; then
  step "Making a video of 16 seconds: coloured cards in moving footage"
  "$longsight" world make --seed "$seed" --videos 1 --duration-secs 16..16 --cards 3..4 --card-secs 2..3 --gap-secs 1 \
    --questions-per-video 24 --kinds which,what-number,next,is-there,first --out "$world"
fi

step "What it would take"
"$longsight" plan "$world/videos/00000.mp4" --fps 1 | grep -v '#[0-9]' # without the list of frames

step "Three questions: what is on a card, what number, what comes next"
ask which
ask what-number
ask next

cat <<END

$right of $asked answers are right. The model that answered is built in and knows such cards only; what each answer took
(frames, tokens, scale, memory) is printed without --quiet. For other videos name a real model, downloaded once (2 GB):

  $longsight ask VIDEO "QUESTION" --model llava-hf/llava-onevision-qwen2-0.5b-ov-hf
END
[ "$right" -ge 2 ]
