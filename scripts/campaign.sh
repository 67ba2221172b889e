#!/usr/bin/env bash
# The stress campaign (tools/campaign): damaged videos, checkpoints and requests, and kills at any moment. Builds the release
# unless LONGSIGHT names a program. Usage: campaign.sh [--tenth] [--seed N] [--only PART,...] [--keep FOLDER]
# Takes up to two hours on two cores, a tenth of it up to ten minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -z "${LONGSIGHT:-}" ]; then
  cargo build --release --locked --bin longsight
  LONGSIGHT=${CARGO_TARGET_DIR:-target}/release/longsight
fi
exec python3 tools/campaign/run.py --program "$LONGSIGHT" "$@"
