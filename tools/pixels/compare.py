"""Makes 30 videos and compares longsight's frames with PyAV's: number, times and bytes. Prints a table in Markdown.

Each video differs in subsampling, depth, range, matrix, size and turn. PyAV's frames are
`frame.to_ndarray(format="rgb24")`, turned by the stream's matrix with `numpy.rot90`; longsight's come from the example
`frames` of crates/video. Beside them: what the ffmpeg on the PATH makes with PyAV's scaler flags and nothing else.

    python compare.py --frames PROGRAM [--write FILE]    FILE: what stands there between two marks is replaced
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

MARKS = ("<!-- begin: tools/pixels/compare.py -->\n", "<!-- end -->")
SIZES = ((320, 180), (176, 144), (640, 360), (322, 182), (128, 96))
TURNS = (0, 90, 180, 270)
FRAMES = 12


@dataclass
class Video:
    pixel_format: str
    range: str
    matrix: str
    size: tuple
    turn: int = 0  # clockwise
    codec: tuple = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18")
    name: str = "a.mp4"
    note: str = ""
    most: int = 0  # levels that it may be apart


def videos():
    x265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:chromaloc=2")
    vp9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
    kinds = itertools.product(("yuv420p", "yuv422p", "yuv444p"), ("", "10le"), ("tv", "pc"), ("smpte170m", "bt709"))
    for number, (chroma, depth, value_range, matrix) in enumerate(kinds):
        yield Video(chroma + depth, value_range, matrix, SIZES[number % 5], TURNS[number % 4])
    yield Video("yuv420p", "tv", "bt709", (162, 90), 0, vp9, "a.webm", "VP9")
    yield Video("yuv420p10le", "tv", "bt2020nc", (320, 180), 0, x265, "a.mp4", "HEVC, chroma at the top left")
    yield Video("yuvj422p", "pc", "bt470bg", (320, 180), 90, ("-c:v", "mjpeg", "-q:v", "3"), "a.mov", "Motion JPEG")
    yield Video("yuv420p", "tv", "bt709", (320, 240), 0,
                ("-c:v", "mpeg2video", "-q:v", "3", "-flags", "+ilme+ildct"), "a.ts", "MPEG-2, interlaced")
    yield Video("yuv420p12le", "tv", "bt709", (320, 180), 0, ("-c:v", "ffv1"), "a.mkv", "FFV1, 12 bits")
    yield Video("bgr0", "pc", "gbr", (322, 182), 0, ("-c:v", "ffv1"), "a.mkv", "FFV1, RGB")
    # With ffmpeg below 8 a few values are next to PyAV's (crates/video/src/decode/colour.rs).
    yield Video("yuv420p", "tv", "bt709", (161, 91), 0, vp9, "a.webm", "beyond the 30: odd sides", 3)


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, **options).stdout


def make(video, folder):
    width, height = video.size
    source = f"testsrc2=s={width}x{height}:r=25,format=yuv444p,trim=end_frame={FRAMES},noise=alls=24:allf=t:all_seed=7"
    tags = f"setparams=range={video.range}" + ("" if video.matrix == "gbr" else f":colorspace={video.matrix}")
    fields = ",setfield=tff" if "interlaced" in video.note else ""
    straight = folder / ("straight-" + video.name)
    run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source,
        "-vf", f"format={video.pixel_format},{tags}{fields}", *video.codec, "-g", "6", straight)
    if not video.turn:
        return straight
    turned = folder / video.name
    copy = ("-c", "copy", turned)
    option = run("ffmpeg", "-v", "quiet", "-h", "full").decode()
    if "display_rotation" in option:  # counter-clockwise, before the input
        run("ffmpeg", "-v", "error", "-y", "-display_rotation", -video.turn, "-i", straight, *copy)
    else:
        run("ffmpeg", "-v", "error", "-y", "-i", straight, "-metadata:s:v:0", f"rotate={-video.turn % 360}", *copy)
    return turned


def by_pyav(path):
    """Times from the container's start, and frames as they are stored and upright."""
    with av.open(str(path)) as container:
        start = (container.start_time or 0) / av.time_base
        times, stored, upright = [], [], []
        for frame in container.decode(video=0):
            pixels = frame.to_ndarray(format="rgb24")
            times.append(float(frame.pts * frame.time_base) - start)
            stored.append(pixels)
            upright.append(np.rot90(pixels, round(frame.rotation / 90)))  # both counter-clockwise
        return times, np.stack(stored), np.stack(upright)


def by_longsight(program, path, folder):
    run(program, path, folder)
    about = json.loads((folder / "frames.json").read_text())
    shape = (len(about["times_secs"]), about["height"], about["width"], 3)
    return about["times_secs"], np.fromfile(folder / "frames.rgb", np.uint8).reshape(shape), about


def by_flags(path, shape):
    """The system's ffmpeg with PyAV's scaler flags alone, as stored."""
    vsync = "-fps_mode" if b"-fps_mode" in run("ffmpeg", "-v", "quiet", "-h", "long") else "-vsync"
    pixels = run("ffmpeg", "-v", "error", "-noautorotate", "-i", path, "-vf", "scale=flags=bilinear", vsync,
                 "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1")
    return np.frombuffer(pixels, np.uint8).reshape(shape)


def difference(ours, theirs):
    """In words, and the most levels."""
    if ours.shape != theirs.shape:
        return "other size", 256
    apart = np.abs(ours.astype(np.int16) - theirs)
    share, most = np.count_nonzero(apart) / apart.size, apart.max()
    return f"{share:.2%} differ, by {apart.mean():.3f} on average and {most} at most" if most else "equal", most


def row(program, video, folder):
    path = make(video, folder)
    times, stored, upright = by_pyav(path)
    our_times, ours, about = by_longsight(program, path, folder)
    same_times = len(times) == len(our_times) and np.allclose(times, our_times, atol=1e-6, rtol=0)
    words, most = difference(ours, upright)
    probed = about["video"]
    height, width = stored.shape[1:3]
    cells = (video.note or "H.264", probed["pixel_format"], video.range, video.matrix,
             f"{width}x{height}", f"{video.turn}", f"{len(times)}, {'equal' if same_times else 'OTHER'}",
             words, difference(by_flags(path, stored.shape), stored)[0])
    is_right = same_times and probed["rotation_degrees"] == video.turn and (width, height) == video.size
    return cells, is_right and most <= video.most, about["ffmpeg"]


def table(program):
    head = ("video", "pixel format", "range", "matrix", "stored size", "turn", "frames, times", "bytes",
            "system's ffmpeg with `bilinear` alone")
    rows, right, wrong = [], 0, 0
    for video in videos():
        with tempfile.TemporaryDirectory() as folder:
            cells, is_right, ffmpeg = row(program, video, Path(folder))
        rows.append(cells)
        right += is_right and not video.most
        wrong += not is_right
        print(f"{len(rows)}: {' | '.join(cells)}", file=sys.stderr)
    lines = [f"{right} of {sum(not video.most for video in videos())} videos are equal in number, times and bytes of their frames, and turned as their matrix says.",
             f"PyAV {av.__version__} has ffmpeg {av.ffmpeg_version_info} inside; longsight ran {ffmpeg}.", "",
             "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join(lines) + "\n", not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", required=True, help="the example `frames` of crates/video")
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    text, is_right = table(args.frames)
    print(text)
    if args.write:
        page = args.write.read_text()
        before, rest = page.split(MARKS[0])
        args.write.write_text(before + MARKS[0] + text + MARKS[1] + rest.split(MARKS[1], 1)[1])
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
