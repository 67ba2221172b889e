#!/usr/bin/env bash
# Pillow 12.3.0: a 16-bit grey PNG turns white when it becomes RGB.
#
# Expected: Image.open("grey16.png").convert("RGB") scales 0..65535 to 0..255, as it does for 16-bit colour PNGs.
# Seen:     it clips: everything above 255 becomes 255. Of a ramp from black to white 99.6% is white. 16 bits with colour
#           or alpha are scaled (their upper 8 bits are kept).
# Matters:  depth maps, infrared and medical frames are often stored so; image processors of vision models call
#           convert("RGB") without a look, and the model sees a white picture without any error.
#
#   bash findings/pillow-16-bit-grey.sh      FINDINGS_VENV=FOLDER uses that virtual environment instead of a new one
set -euo pipefail

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
  "$python" -m pip install --quiet pillow==12.3.0 numpy==2.4.6
}

make_venv
"$python" - <<'EOF'
import io
import struct
import zlib

import numpy as np
import PIL
from PIL import Image

print(f"Pillow {PIL.__version__}")
ramp = np.arange(65536, dtype=">u2").reshape(256, 256)


def png(levels, colour_type):
    """A PNG of 16 bits a channel, `levels` of [rows, columns, channels]."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = levels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def opened(levels, colour_type):
    image = Image.open(io.BytesIO(png(levels, colour_type)))
    return image.mode, np.asarray(image.convert("RGB"))[..., 0].astype(int)


mode, grey = opened(ramp, 0)
print(f"grey:   mode {mode}, {np.mean(grey == 255):.1%} white, the middle of the ramp is {grey[128, 0]}")
assert np.array_equal(grey, np.minimum(ramp, 255)), "16-bit grey is not clipped any more"
mode, colour = opened(np.repeat(ramp[..., None], 3, axis=2), 2)
print(f"colour: mode {mode}, {np.mean(colour == 255):.1%} white, the middle of the ramp is {colour[128, 0]}")
assert np.array_equal(colour, ramp >> 8), "16-bit colour does not keep its upper 8 bits any more"
EOF
