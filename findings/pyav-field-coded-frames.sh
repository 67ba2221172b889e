#!/usr/bin/env bash
# PyAV 18.1.0: of H.264 that is coded field by field, `stream.frames` and `stream.average_rate` count fields.
#
# Expected: a clip of 20 frames at 25 frames a second has stream.frames == 20 and an average_rate of 25.
# Seen:     40 and 50, as MP4 stores one sample a field; decoding gives 20 frames. Indices that are spread over stream.frames
#           lie beyond the last frame in their second half, and times that are index / average_rate are half the true ones.
# Matters:  samplers of frames that take the number of frames from the container (most do, to avoid decoding) see the first half
#           of camcorder and broadcast recordings twice, or fail at the end.
#
#   bash findings/pyav-field-coded-frames.sh      FINDINGS_VENV=FOLDER uses that virtual environment instead of a new one
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
  "$python" -m pip install --quiet av==18.1.0
}

make_venv
"$python" - <<'PY'
import io
from fractions import Fraction

import av

FRAMES, GROUP, WIDTH, HEIGHT = 20, 10, 32, 64


class Bits:
    """Bits of an H.264 syntax structure."""

    def __init__(self):
        self.text = ""

    def u(self, bits, value):
        self.text += format(value, f"0{bits}b") if bits else ""
        return self

    def ue(self, *values):
        for value in values:
            bits = (value + 1).bit_length()
            self.u(bits - 1, 0).u(bits, value + 1)
        return self

    def bytes(self):
        text = self.text + "0" * (-len(self.text) % 8)
        return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))


def nal(header, body):
    out, zeros = bytearray([0, 0, 0, 1, header]), 0
    for byte in body:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def sets():
    """High-level syntax: main profile, frame_mbs_only_flag 0, order count of type 0."""
    sequence = Bits().u(24, 77 << 16 | 30).ue(0, 0, 0, 4, 1).u(1, 0).ue(WIDTH // 16 - 1, HEIGHT // 32 - 1).u(6, 0b001001)
    picture = Bits().ue(0, 0).u(2, 0).ue(0, 0, 0).u(3, 0).ue(0, 0, 0).u(3, 4).u(1, 1)
    return nal(0x67, sequence.bytes()) + nal(0x68, picture.bytes())


def field(frame, bottom):
    """One field of one grey level, every macroblock stored as it is."""
    number = frame % GROUP
    idr = number == 0 and not bottom
    bits = Bits().ue(0, 7, 0).u(4, number).u(1, 1).u(1, bottom)
    if idr:
        bits.ue(frame // GROUP % 2)
    bits.u(8, 2 * number + bottom).u(2 if idr else 1, 0).ue(0, 1)
    body = b""
    for _ in range(WIDTH // 16 * HEIGHT // 32):
        body += bits.ue(25).bytes() + bytes([20 + 5 * frame]) * 256 + bytes([128]) * 128
        bits = Bits()
    return nal(0x25 if idr else 0x21, body + b"\x80")


raw = b"".join((sets() if i % GROUP == 0 else b"") + field(i, 0) + field(i, 1) for i in range(FRAMES))
mp4 = io.BytesIO()
with av.open(io.BytesIO(raw), format="h264", options={"framerate": "25"}) as source, av.open(mp4, "w", format="mp4") as target:
    stream = target.add_stream_from_template(source.streams.video[0])
    for i, packet in enumerate(packet for packet in source.demux(video=0) if packet.size):
        # A raw stream has no times: fifty fields a second, in the order in which they are shown.
        packet.stream, packet.time_base, packet.pts, packet.dts, packet.duration = stream, Fraction(1, 50), i, i, 1
        target.mux(packet)
mp4.seek(0)
with av.open(mp4) as container:
    stream = container.streams.video[0]
    decoded = [float(frame.time) for frame in container.decode(stream)]
    print(f"PyAV {av.__version__}: stream.frames {stream.frames}, average_rate {stream.average_rate}; {len(decoded)} frames decode, "
          f"{decoded[1] - decoded[0]:.2f} s apart")
    assert len(decoded) == FRAMES and abs(decoded[1] - decoded[0] - 0.04) < 1e-6
    assert (stream.frames, stream.average_rate) == (2 * FRAMES, 50), "fields are not counted as frames any more"
PY
