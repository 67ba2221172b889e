#!/usr/bin/env bash
# Pillow 13.0.0 against torchvision 0.29.2: one Lanczos resize, two results for upright frames.
#
# Expected: both resize 8-bit RGB with the same filter in two passes, along the width first, and agree within rounding
#           (as they do with Pillow 12.3.0).
# Seen:     Pillow 13 goes along the height first where it takes that to be faster, as for every upright frame here. The
#           picture between the passes is rounded and clipped to 0..255, so the order shows: an upright 360x640 frame of
#           noise to 512x512 differs by up to 39 of 255 levels, in 38% of its values; one of 640x360 by 2, in 1%.
# Matters:  programs that read upright videos (telephones) get other pixels when Pillow is upgraded, and others than
#           those of a processor that resizes with torchvision; features kept from before do not match new ones.
#
#   bash findings/lanczos-pass-order.sh      FINDINGS_VENV=FOLDER uses that virtual environment instead of a new one
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
    torch==2.15.0 torchvision==0.29.2 pillow==13.0.0 numpy==2.4.6
}

make_venv
"$python" - <<'EOF'
import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms.v2 import functional as tv

print(f"Pillow {PIL.__version__}, torch {torch.__version__}, torchvision {torchvision.__version__}")


def by_pillow(frame, *sizes):
    image = Image.fromarray(frame)
    for width, height in sizes:
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(image).astype(int)


def by_torchvision(frame, width, height):
    pixels = torch.from_numpy(frame).permute(2, 0, 1)
    resized = tv.resize(pixels, [height, width], interpolation=tv.InterpolationMode.LANCZOS)
    return resized.permute(1, 2, 0).numpy().astype(int)


def levels(a, b):
    """The largest difference of two pictures, and the share of their values that differ."""
    return int(np.abs(a - b).max()), float((a != b).mean())


def compare(width, height, side):
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pillow = by_pillow(frame, (side, side))
    orders = {
        "width": by_pillow(frame, (side, height), (side, side)),
        "height": by_pillow(frame, (width, side), (side, side)),
    }
    first = [name for name, pixels in orders.items() if np.array_equal(pixels, pillow)]
    assert len(first) == 1, "Pillow does not resize in two passes of 8 bits any more"
    others = by_torchvision(frame, side, side)
    most, share = levels(pillow, others)
    print(f"{width}x{height} -> {side}x{side}: Pillow does the {first[0]} first; {share:.1%} differ, by up to {most}")
    assert levels(orders["width"], others)[0] <= 2, "torchvision does not do the width first any more"
    return first[0], most


upright, upright_levels = compare(360, 640, 512)
lying, lying_levels = compare(640, 360, 512)
compare(1080, 1920, 512)
compare(1920, 1080, 512)

assert upright == "height" and upright_levels > 20, "upright frames agree now"
assert lying == "width" and lying_levels <= 2, "frames that lie on their side do not agree any more"
EOF
