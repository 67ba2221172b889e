#!/usr/bin/env bash
# Are chat templates rendered as transformers renders them? Takes the templates of a public repository (those that llama.cpp
# carries, out of the source package of llama-cpp-python; or a FOLDER with *.jinja files), renders each with and without a
# system turn in both, and prints one line a prompt. Exit status 1 where one differs. Nothing of them is kept.
#
#   bash scripts/compare-templates.sh [FOLDER]
#
# transformers comes from PyPI, pinned in tools/templates, into a virtual environment: LONGSIGHT_TEMPLATES_VENV, default
# target/templates-venv. PYTHON names an interpreter of at least 3.10.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${LONGSIGHT_TEMPLATES_VENV:-target/templates-venv}

if ! "$venv/bin/python" -c 'import transformers, jinja2' 2>/dev/null; then
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/pip" install --quiet -r tools/templates/requirements.txt
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=${1:-}
if [[ -z $folder ]]; then
  "$venv/bin/pip" download --quiet --no-deps --no-binary llama-cpp-python --dest "$work" llama-cpp-python==0.3.36
  tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work" --wildcards '*/models/templates/*.jinja'
  folder=$(dirname "$(find "$work" -name '*.jinja' | head -n 1)")
fi
cargo build --locked -p longsight-models --example render_template
"$venv/bin/python" tools/templates/compare.py "$folder" "${CARGO_TARGET_DIR:-target}/debug/examples/render_template"
