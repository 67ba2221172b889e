#!/usr/bin/env bash
# Are longsight's frames PyAV's, byte for byte? Makes 30 small videos (subsampling, depth, range, matrix, size, turn), decodes
# them with both and prints a table; with --write it goes into docs/pixels.md. Exit status 1 where one differs.
#
#   bash scripts/compare-pixels.sh [--write]
#
# PyAV and numpy come from PyPI, pinned in tools/pixels, into a virtual environment: LONGSIGHT_PIXELS_VENV, default
# target/pixels-venv. PYTHON names an interpreter of at least 3.11.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${LONGSIGHT_PIXELS_VENV:-target/pixels-venv}

if ! "$venv/bin/python" -c 'import av, numpy' 2>/dev/null; then
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/pip" install --quiet -r tools/pixels/requirements.txt
fi
cargo build --locked -p longsight-video --example frames
page=()
if [[ ${1:-} == --write ]]; then page=(--write docs/pixels.md); fi
exec "$venv/bin/python" tools/pixels/compare.py --frames "${CARGO_TARGET_DIR:-target}/debug/examples/frames" "${page[@]}"
