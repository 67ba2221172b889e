#!/usr/bin/env bash
# longsight compared with transformers (PyTorch) and llama.cpp: the same seeded weights, frames and tokens, in turn, each in
# its own process. Writes the raw figures and their tables to docs/benchmarks/DATE-MACHINE/, and the list of runs to
# docs/benchmarks/README.md; what they mean is written by hand in docs/benchmarks.md.
#
#   bash scripts/bench-peers.sh [FLAGS]      --help lists them; --quick tries it and writes nothing in docs
#
# The peers come from PyPI, pinned in tools/bench, into a virtual environment (LONGSIGHT_BENCH_VENV, default
# target/bench-venv); llama.cpp is compiled for this CPU. PYTHON names an interpreter of at least 3.10. A peer that
# cannot be installed is left out, and said. Have nothing else running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${LONGSIGHT_BENCH_VENV:-target/bench-venv}
peers=()

say() { printf 'bench-peers: %s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

find_python() {
  local name
  for name in "${PYTHON:-python3}" /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  fail "no Python of at least 3.10 with venv: install python3 and python3-venv, or set PYTHON"
}

# install NAME REQUIREMENTS ARGUMENTS...: quiet; does nothing where these very requirements were installed before.
install() {
  local name=$1 requirements=$2 stamp=$venv/$1.installed log=$venv/$1.log
  shift 2
  if ! cmp -s "$requirements" "$stamp"; then
    say "installing $name (minutes; log: $log)"
    if ! "$venv/bin/pip" install "$@" -r "$requirements" >"$log" 2>&1; then
      say "error: $name cannot be installed ($(grep -i error "$log" | tail -n 1)); see $log. Going on without it"
      return
    fi
    cp "$requirements" "$stamp"
  fi
  peers+=("$name")
}

# PyTorch's own index has wheels without CUDA, a tenth of the size; PyPI's do as well.
install_small_torch() {
  cmp -s tools/bench/requirements.txt "$venv/transformers.installed" && return
  "$venv/bin/pip" install --quiet --retries 0 --timeout 15 --index-url https://download.pytorch.org/whl/cpu \
    "$(grep '^torch==' tools/bench/requirements.txt)" >/dev/null 2>&1 || true
}

if [ ! -x "$venv/bin/pip" ]; then
  python=$(find_python)
  "$python" -m venv "$venv" || fail "cannot make a virtual environment in $venv"
fi
install_small_torch
install transformers tools/bench/requirements.txt
# Compiled here: the instruction sets of this CPU, no examples, no server, no image models.
CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
-DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_CURL=OFF ${CMAKE_ARGS:-}" \
  install llama.cpp tools/bench/requirements-llama.txt --no-binary llama-cpp-python
[ "${#peers[@]}" -gt 0 ] || fail "no peer could be installed"

cargo build --release --locked -p longsight-bench -p longsight-cli
joined=$(IFS=,; echo "${peers[*]}")
exec "$venv/bin/python" tools/bench/peers.py --peers "$joined" "$@"
