#!/usr/bin/env bash
# Makes a video of ten minutes and asks the built-in model three questions about it, whose right answers are known.
# Everything that it makes lies under target/demo. SEED=n: another video. Fails where two answers of three are wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh ''

seed=${SEED:-1}
case $seed in '' | *[!0-9]*) fail "SEED=$seed: give a whole number" ;; esac
world=target/demo/minutes-$seed video=target/demo/minutes-$seed/videos/00000.mp4
longsight=${CARGO_TARGET_DIR:-target}/release/longsight
export LONGSIGHT_MODEL=tiny LONGSIGHT_INDEX_DIR=target/demo/index
asked=0 right=0

step() { printf '\n== %s\n' "$*"; }

# field NAME ROW: what a string of a row of questions.jsonl says, or the first of a list of strings.
field() { sed -n "s/.*\"$1\":\[\{0,1\}\"\([^\"]*\)\".*/\1/p" <<<"$2"; }

# ask KIND: the first open question of this kind that the world has.
ask() {
  local row question expected said answer
  row=$(grep -m 1 "\"kind\":\"$1\".*\"candidates\":\[\]" "$world/questions.jsonl") ||
    fail "no question of kind $1 in $world/questions.jsonl"
  question=$(field question "$row") expected=$(field answers "$row")
  printf '\n$ longsight ask %s "%s" --evidence --moments 1\n' "$video" "$question"
  said=$("$longsight" ask "$video" "$question" --evidence --moments 1 --quiet)
  answer=$(head -n 1 <<<"$said")
  asked=$((asked + 1))
  if [ "$answer" = "$expected" ]; then
    right=$((right + 1))
    printf '%s          (right)\n' "$answer"
  else
    printf '%s          (wrong: it is %s)\n' "$answer" "$expected"
  fi
  tail -n +2 <<<"$said"
}

step "Building longsight (the first time takes a few minutes)"
cargo build --release --locked --bin longsight

if [ ! -f "$world/questions.jsonl" ]; then
  step "Making a video of ten minutes: coloured cards, each for a few seconds, in moving footage"
  "$longsight" world make --seed "$seed" --videos 1 --duration-secs 600..600 --frame-rates 5 --cards 5..8 --card-secs 6..10 \
    --questions-per-video 24 --kinds which,next,when --out "$world"
fi

step "What it would take"
"$longsight" plan "$video" | grep -v '#[0-9]' # without the list of frames

step "Three questions: what is on a card, what comes next, in which part of the video"
ask which
ask next
ask when

cat <<END

$right of $asked answers are right. The model that answered is built in and knows such cards only; what each answer took
(frames, tokens, scale, memory) is printed without --quiet. For other videos name a real model, downloaded once (2 GB):

  $longsight ask VIDEO "QUESTION" --model llava-hf/llava-onevision-qwen2-0.5b-ov-hf
END
[ "$right" -ge 2 ]
