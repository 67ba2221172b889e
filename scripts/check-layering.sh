#!/usr/bin/env bash
# Keeps the crates' dependencies pointing one way (ARCHITECTURE.md), unsafe code in crates/kernels, files free of circles
# of imports, names of models below the engine, and paths of the machine it runs on out of the project. Reads the manifests
# and sources only: no network, no build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A crate and the crates of ours that it may use. `testkit` is for tests: only ever a dev-dependency, but for `bench`,
# which is not shipped.
allowed() {
  case $1 in
    method | kernels | text | testkit) ;;
    video | hub) echo text ;;
    models) echo method kernels text ;;
    store) echo kernels ;;
    world) echo video ;;
    engine) echo method video kernels text models store ;;
    report) echo method video engine ;;
    eval) echo method video text models engine report world ;;
    server) echo method video text models engine ;;
    bench) echo method kernels models engine testkit ;;
    cli) echo method video kernels text hub models engine report eval world server ;;
    *) return 1 ;;
  esac
}

# Lines "KIND NAME" for each crate of ours that a manifest names; KIND is normal or dev.
internal_dependencies() {
  awk '
    /^[[:space:]]*#/ { next }
    /^\[/ {
      section = $0
      in_dependencies = section ~ /dependencies/
      kind = section ~ /dev-dependencies/ ? "dev" : "normal"
    }
    in_dependencies {
      line = $0
      sub(/[[:space:]]#.*/, "", line)
      while (match(line, /longsight-[a-z]+/)) {
        print kind, substr(line, RSTART + 10, RLENGTH - 10)
        line = substr(line, RSTART + RLENGTH)
      }
      if ($0 ~ /path[[:space:]]*=/) print "path", "-"
    }' "$1"
}

# Crates whose files may not import each other in a circle.
acyclic_crates="engine cli kernels report"
# Crates whose sources name no model family; those are to be engine, eval, server and cli.
neutral_crates="engine report eval server cli"

# Where such a name may stand all the same: a file, and an extended regular expression that the line must match.
model_name_exceptions() {
  cat <<'END'
crates/eval/src/prompt_key.rs      .
crates/eval/src/prompts/videomme.rs  PromptKey::|qwen3_vl
crates/cli/src/args/run.rs         ///.*by model family
crates/cli/src/args/eval.rs        ///.*llava_vid
crates/cli/src/model.rs            --model llava-hf/
END
}

failures=0
complain() {
  printf 'layering: %s\n' "$*" >&2
  failures=$((failures + 1))
}

check_manifest() {
  local crate=$1 manifest=crates/$1/Cargo.toml may kind name
  may=$(allowed "$crate") ||
    { complain "$manifest: this crate is not in scripts/check-layering.sh; add it with what it may use"; return; }
  while read -r kind name; do
    case "$kind" in
      path) complain "$manifest: a dependency by path; write longsight-NAME.workspace = true"; continue ;;
      dev) [ "$name" != testkit ] || continue ;;
    esac
    case " $may " in
      *" $name "*) ;;
      *) complain "$manifest: $crate may not use $name as a $kind dependency (allowed: ${may:-none})" ;;
    esac
  done < <(internal_dependencies "$manifest")
}

for manifest in crates/*/Cargo.toml; do
  check_manifest "$(basename "$(dirname "$manifest")")"
done

# Unsafe code in any form, and leave for it.
unsafe=$(grep -rnE --include='*.rs' '(^|[^A-Za-z0-9_])unsafe[[:space:]]*([{(]|fn|impl|trait|extern)|\(unsafe_code' crates |
  grep -vE '^crates/kernels/|^[^:]+:[0-9]+:[[:space:]]*//' || true)
[ -z "$unsafe" ] || complain "unsafe outside crates/kernels:"$'\n'"$unsafe"

if ! command -v python3 >/dev/null 2>&1; then
  echo "layering: python3 is not installed: circles of imports are not looked for"
elif ! python3 scripts/test_import_circles.py >/dev/null 2>&1; then
  complain "scripts/import_circles.py fails its tests: python3 scripts/test_import_circles.py"
elif [ -n "$acyclic_crates" ]; then
  # shellcheck disable=SC2086 # a list of words
  circles=$(cd crates && python3 ../scripts/import_circles.py $acyclic_crates 2>&1) ||
    complain "circles of imports:"$'\n'"$circles"
fi

# Lines "FILE:LINE:TEXT" that name a model family in the sources of a crate.
model_names() {
  grep -rniE --include='*.rs' 'llava|qwen|siglip|smolvlm|internvl' "crates/$1/src" || true
}

for crate in $neutral_crates; do
  named=$(model_names "$crate" | while IFS= read -r line; do
    text=${line#*:}
    while read -r file pattern; do
      if [ "${line%%:*}" = "$file" ] && grep -qE -e "$pattern" <<<"${text#*:}"; then continue 2; fi
    done < <(model_name_exceptions)
    printf '%s\n' "$line"
  done)
  [ -z "$named" ] || complain "model families are named above crates/models (exceptions: this script's list):"$'\n'"$named"
done

home=${HOME:-}
for path in "$PWD" "${home%/}"; do
  [ "${#path}" -gt 1 ] || continue
  found=$(grep -rnIF "$path/" crates scripts tools .ci Makefile ./*.md ./*.toml || true)
  [ -z "$found" ] || complain "a path of this machine ($path/):"$'\n'"$found"
done

[ "$failures" -eq 0 ] || exit 1
echo "layering: ok"
