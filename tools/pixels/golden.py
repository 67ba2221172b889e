"""Writes crates/video/tests/data/pyav_rgb.json: what PyAV makes of pictures whose samples come from a formula, as SHA-256,
or, of the smallest, as bytes: with older ffmpegs longsight is within a few levels there, where a side is odd.

Each picture is encoded without loss (FFV1) by the ffmpeg on the PATH, read by PyAV and converted by
`frame.to_ndarray(format="rgb24")`. Rust makes the same pictures and compares.

    python golden.py [--check]
"""

import argparse
import hashlib
import itertools
import json
import subprocess
import tempfile
from pathlib import Path

import av
import numpy as np

DATA = Path(__file__).resolve().parents[2] / "crates/video/tests/data/pyav_rgb.json"
FORMATS = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")
RANGES = ("tv", "pc")
MATRICES = ("bt709", "smpte170m")


def cases():
    """(pixel format, range, matrix, chroma location, width, height): all of the first three, then what is special."""
    for case in itertools.product(FORMATS, RANGES, MATRICES):
        yield *case, "left", 46, 34
    yield "yuv420p", "tv", "bt709", "left", 9, 5  # an odd number of rows has chroma interpolated
    yield "yuv420p10le", "tv", "bt709", "left", 9, 5
    yield "yuv420p10le", "tv", "bt2020nc", "topleft", 46, 34
    yield "yuv420p10le", "tv", "bt709", "unspecified", 46, 34
    yield "yuv422p10le", "tv", "bt709", "unspecified", 46, 34
    yield "yuv420p12le", "tv", "bt709", "left", 46, 34


def samples(pixel_format, width, height):
    """Planes after one another: every level of the format, far from smooth."""
    deep = next((bits for bits in (10, 12) if f"p{bits}" in pixel_format), 8)
    half_columns, half_rows = "444" not in pixel_format, "420" in pixel_format
    planes = []
    for plane in range(3):
        columns = -(-width // 2) if plane and half_columns else width
        rows = -(-height // 2) if plane and half_rows else height
        y, x = np.mgrid[:rows, :columns]
        levels = (31 * y + 17 * x + 5 * x * y + 61 * plane) * (1 << (deep - 8)) + 3 * x + y
        planes.append((levels % (1 << deep)).astype("<u2" if deep > 8 else "u1").tobytes())
    return b"".join(planes)


def encode(path, case):
    pixel_format, value_range, matrix, location, width, height = case
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", pixel_format, "-s", f"{width}x{height}",
         "-r", "1", "-i", "pipe:0", "-vf", f"setparams=range={value_range}:colorspace={matrix}",
         "-chroma_sample_location", location, "-c:v", "ffv1", path],
        input=samples(pixel_format, width, height), check=True)


def converted(path):
    with av.open(path) as container:
        rgb = next(container.decode(video=0)).to_ndarray(format="rgb24").tobytes()
        return {"rgb": rgb.hex()} if len(rgb) < 256 else {"sha256_rgb": hashlib.sha256(rgb).hexdigest()}


def make():
    keys = ("pixel_format", "range", "matrix", "chroma_location", "width", "height")
    made = []
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/a.mkv"
        for case in cases():
            encode(path, case)
            made.append({**dict(zip(keys, case)), **converted(path)})
    return {"made_by": f"PyAV {av.__version__} with ffmpeg {av.ffmpeg_version_info}", "cases": made}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is stored")
    text = "{\n" + f'"made_by": {json.dumps((data := make())["made_by"])},\n"cases": [\n'
    text += ",\n".join(json.dumps(case) for case in data["cases"]) + "\n]}\n"
    if parser.parse_args().check:
        raise SystemExit(0 if DATA.read_text() == text else f"{DATA} is not what PyAV {av.__version__} gives")
    DATA.write_text(text)
