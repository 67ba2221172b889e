#!/usr/bin/env bash
# transformers 5.24.0, SmolVLMVisionEmbeddings: rounding gives many square grids the wrong position ids.
#
# Expected: an image that fills the tower's whole grid of n x n patches takes the position ids 0, 1, ... n*n - 1.
# Seen:     a patch's coordinate k/n and the borders of the buckets, 1/n, 2/n, ..., are each rounded to float32, then
#           compared, so a coordinate that lies on a border falls on either side of it. 26 of the grids from 2 to 80 are
#           wrong. For n = 25 (400 pixels at a patch of 16) 400 of 625 patches take another patch's position, and 264
#           rows of the table are never read. Grids of 24, 27 and 32 (384 and 512 pixels) are right.
# Matters:  a tower trained at another size to afford more frames (400 or 640 pixels) learns with folded positions,
#           and nothing says so; a program that numbers the patches in order then computes something else.
#
#   bash findings/smolvlm-position-ids.sh      FINDINGS_VENV=FOLDER uses that virtual environment instead of a new one
set -euo pipefail
export HF_HUB_OFFLINE=1 # nothing here needs a hub

# make_venv: sets `python` to the interpreter of a new virtual environment, which goes away when the script ends.
make_venv() {
  if [[ -n ${FINDINGS_VENV:-} ]]; then
    python=$FINDINGS_VENV/bin/python
    return
  fi
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  "${PYTHON:-python3}" -m venv "$folder"
  python=$folder/bin/python
  "$python" -m pip install --quiet \
    torch==2.15.0 transformers==5.24.0 numpy==2.4.6
}

make_venv
"$python" - <<'EOF'
import torch
import transformers
from transformers.models.smolvlm.configuration_smolvlm import SmolVLMVisionConfig
from transformers.models.smolvlm.modeling_smolvlm import SmolVLMVisionEmbeddings

print(f"transformers {transformers.__version__}, torch {torch.__version__}")


@torch.no_grad()
def position_ids(n):
    """The ids of a full grid: each row of the position table holds its own number, and the patches hold 0."""
    sizes = {"hidden_size": 1, "num_channels": 1, "num_attention_heads": 1, "patch_size": 1, "image_size": n}
    embeddings = SmolVLMVisionEmbeddings(SmolVLMVisionConfig(**sizes))
    embeddings.patch_embedding.weight.zero_()
    embeddings.patch_embedding.bias.zero_()
    embeddings.position_embedding.weight.copy_(torch.arange(n * n)[:, None])
    return embeddings(torch.zeros(1, 1, n, n), torch.ones(1, n, n, dtype=torch.bool)).long().flatten()


def wrong(n):
    return int((position_ids(n) != torch.arange(n * n)).sum())


print("grids from 2 to 80 with wrong ids:", [n for n in range(2, 81) if wrong(n)])
ids = position_ids(25)
print("n = 25, rows of the grid:", (ids.view(25, 25)[:, 0] // 25).tolist())
print(f"n = 25: {wrong(25)} of 625 patches have another id, {625 - ids.unique().numel()} rows are never read")

assert all(wrong(n) for n in (19, 25, 40, 50)), "a grid that was wrong is right now"
assert not any(wrong(n) for n in (9, 14, 16, 24, 27, 32)), "a grid that was right is wrong now"
assert ids.unique().numel() < 625, "each row of the table is read now"
EOF
