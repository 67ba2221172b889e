#!/usr/bin/env bash
# transformers 5.24.0, SmolVLMVideoProcessor: the size for still images wins over the size for videos.
#
# Expected: a preprocessor_config.json with `size` 2048 and, in `video_sampling`, `video_size` 512 (the published ones
#           have both) makes frames of 512. The model's documentation says that videos should not be upsampled.
# Seen:     the constructor puts `size` in the place of `video_size`, so a frame of 640x360 is enlarged to 2048x1152 and
#           goes to 512x512 from there. Its pixels are those of the detour, not of a resize to 512.
# Matters:  each frame of a long video costs 16 times the pixels of the size that was asked for, and whoever feeds the
#           model frames made at `video_size` feeds it other pixels than transformers does.
#
#   bash findings/smolvlm-video-size.sh      FINDINGS_VENV=FOLDER uses that virtual environment instead of a new one
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
    torch==2.15.0 torchvision==0.29.2 transformers==5.24.0 pillow==13.0.0 \
    numpy==2.4.6
}

make_venv
"$python" - <<'EOF'
import json
import tempfile
from pathlib import Path

import torch
import torchvision
import transformers
from torchvision.transforms.v2 import functional as tv
from transformers import SmolVLMVideoProcessor

print(f"transformers {transformers.__version__}, torch {torch.__version__}, torchvision {torchvision.__version__}")
config = {
    "size": {"longest_edge": 2048},
    "max_image_size": {"longest_edge": 512},
    "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 512}},
}
with tempfile.TemporaryDirectory() as folder:
    Path(folder, "preprocessor_config.json").write_text(json.dumps(config))
    processor = SmolVLMVideoProcessor.from_pretrained(folder)
print("video_size in the file: 512; longest edge in use:", processor.size["longest_edge"])

frame = torch.randint(0, 256, (1, 3, 360, 640), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
seen = processor([frame], do_rescale=False, do_normalize=False, return_tensors="pt")["pixel_values"][0].int()


def resized(*sizes):
    pixels = frame
    for size in sizes:
        pixels = tv.resize(pixels, list(size), interpolation=tv.InterpolationMode.LANCZOS)
    return pixels.int()


def differing(pixels):
    difference = (seen - pixels).abs()
    share = (difference > 0).float().mean().item()
    print(f"  {share:5.1%} of values differ, by {difference.float().mean():.1f} of 255 on average")
    return share


print("640x360 -> 2048x1152 -> 512x512:")
detour = differing(resized((1152, 2048), (512, 512)))
print("640x360 -> 512x288 -> 512x512 (video_size, then the square that the model takes):")
asked = differing(resized((288, 512), (512, 512)))
print("640x360 -> 512x512:")
direct = differing(resized((512, 512)))

assert processor.size["longest_edge"] == 2048, "video_size is used now"
assert tuple(seen.shape[-2:]) == (512, 512), "frames are not made square any more"
assert detour == 0, "the frame does not go through 2048x1152 any more"
assert asked > 0.5 and direct > 0.3, "the detour does not show in the pixels any more"
EOF
