#!/usr/bin/env bash
# PyAV 16.0.1 against 18.1.0: to_ndarray(format="rgb24") of the same frame gives other colours.
#
# Expected: the same bytes: the frame says its matrix (BT.709), and nothing else is asked for.
# Seen:     16.0.1 takes every frame for BT.601, 18.1.0 heeds the matrix: up to 52 of 255 levels apart. (Since 17, PyAV
#           converts by sws_scale_frame, which reads the frame's own tags. 10-bit 4:2:2 and 4:2:0 differ too, as where
#           chroma lies is heeded only now.)
# Matters:  HD videos are BT.709. A benchmark run again after an upgrade of PyAV shows the model other pictures, without a
#           change in any setting.
#
#   bash findings/pyav-rgb-by-version.sh
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python=$folder/venv/bin/python
"$python" -m pip install --quiet numpy==2.4.6
for version in 16.0.1 18.1.0; do
  "$python" -m pip install --quiet --no-deps --target "$folder/$version" "av==$version"
done

# Bars of every hue, and a ramp; 4:2:0 in 8 bits.
cat >"$folder/frame.py" <<'EOF'
import sys

import av
import numpy as np

out, matrix = sys.argv[1], int(sys.argv[2])
y, x = np.mgrid[:64, :64]
planes = [16 + (219 * x // 63), 16 + (224 * (x // 8) // 7)[::2, ::2], 16 + (224 * (y // 8) // 7)[::2, ::2]]
frame = av.VideoFrame(64, 64, "yuv420p")
for plane, levels in zip(frame.planes, planes):
    rows = np.zeros((plane.height, plane.line_size), np.uint8)
    rows[:, : plane.width] = levels
    plane.update(rows.tobytes())
frame.colorspace, frame.color_range = matrix, 1
np.save(out, frame.to_ndarray(format="rgb24"))
EOF

for version in 16.0.1 18.1.0; do
  for matrix in 1 5; do # BT.709, BT.601
    PYTHONPATH=$folder/$version "$python" "$folder/frame.py" "$folder/$version-$matrix.npy" "$matrix"
  done
done

"$python" - "$folder" <<'EOF'
import sys

import numpy as np

rgb = {(version, matrix): np.load(f"{sys.argv[1]}/{version}-{matrix}.npy").astype(int)
       for version in ("16.0.1", "18.1.0") for matrix in (1, 5)}
apart = {matrix: np.abs(rgb["16.0.1", matrix] - rgb["18.1.0", matrix]).max() for matrix in (1, 5)}
print(f"16.0.1 and 18.1.0: BT.709 up to {apart[1]} levels apart, BT.601 up to {apart[5]}")
assert np.array_equal(rgb["16.0.1", 1], rgb["16.0.1", 5]), "16.0.1 heeds the matrix"
assert not np.array_equal(rgb["18.1.0", 1], rgb["18.1.0", 5]), "18.1.0 does not heed the matrix"
assert apart[5] == 0 and apart[1] > 20
EOF
