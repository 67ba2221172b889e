"""Damaged videos: each is asked about, and has to be refused in one line, answered with a warning, or answered from frames that
ffmpeg decodes too."""

import json
import re
import subprocess

import damage
from outcome import Tally

ENCODED = {
    "h264.mp4": "-c:v libx264 -bf 2 -g 10",
    "fragments.mp4": "-c:v libx264 -g 10 -movflags frag_keyframe+empty_moov",
    "h264.ts": "-c:v libx264 -bf 2 -g 10",
    "h264.mkv": "-c:v libx264 -g 20",
    "vp9.webm": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 10",
    "mpeg4.avi": "-c:v mpeg4 -g 10",
    "mpeg2.mpg": "-c:v mpeg2video -g 10 -r 25",
    "mjpeg.mov": "-c:v mjpeg",
}


def make(folder):
    """The whole videos: 3 s of 64x48 at 10 frames a second."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, flags in ENCODED.items():
        source = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=3", "-pix_fmt", "yuvj420p" if "mjpeg" in name else "yuv420p"]
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *source, *flags.split(), folder / name], check=True)
    return [folder / name for name in ENCODED]


def decoded_times(path):
    """Presentation times of the frames that ffmpeg decodes, as they are and from the container's start; and how many have none.
    ffmpeg decodes on after an error, where ffprobe's list of frames ends."""
    command = ["ffmpeg", "-nostdin", "-copyts", "-i", path, "-map", "0:v:0", "-vf", "showinfo", "-fps_mode", "passthrough"]
    try:
        log = subprocess.run([*command, "-f", "null", "-"], capture_output=True, timeout=60).stderr.decode(errors="replace")
    except subprocess.TimeoutExpired:
        return [], 0
    frames = re.findall(r" pts_time:(\S+)", log)
    times = [float(time) for time in frames if time != "NOPTS"]
    container = re.search(r"Duration: .*, start: (-?[0-9.]+)", log)
    starts = {0.0, float(container[1]) if container else 0.0, min(times, default=0.0)}
    return [sorted(time - start for time in times) for start in starts], len(frames) - len(times)


def unseen(receipt, path):
    """Times in a receipt at which ffmpeg decodes no frame; empty where it decodes them all, counted from any start. Where the
    receipt says that packets carry no presentation times, a time may be a frame's duration off."""
    video = receipt["video"]
    exact = video["frame_count_source"].startswith("presentation times")
    near = 0.002 if exact else 0.002 + video["duration_secs"] / max(video["total_frames"], 1)
    frames = [frame["time_secs"] for frame in receipt["frames"] if frame.get("replaced_by_index") is None]
    best = frames
    found, without_time = decoded_times(path)
    for times in found:
        missing = [secs for secs in frames if not any(abs(secs - time) < near for time in times)]
        best = min(best, missing, key=len)
    return best if len(best) > without_time else []


def one(program, whole, folder, seed, number, tally):
    random = damage.rng("video", seed, number)
    path = random.choice(whole)
    how = random.choice(damage.BYTES)
    damaged = folder / f"{number}-{how.__name__}-{path.name}"
    damaged.write_bytes(how(path.read_bytes(), random))
    flags = ["--frames", "6", "--max-new-tokens", "2", "--threads", "1", "--quiet", "--json"]
    outcome = program.run("ask", damaged, "What happens?", *flags)
    kind, words = outcome.kind(), f"{damaged.name} (seed {seed}): {outcome.words()}"
    if kind == "answered":
        receipt = json.loads(outcome.out)["receipt"]
        if receipt["warnings"] or any(frame.get("replaced_by_index") is not None for frame in receipt["frames"]):
            kind = "warned"
        elif missing := unseen(receipt, damaged):
            kind, words = "wrong", f"{damaged.name} (seed {seed}): nothing is decoded at {missing[:4]} s, and nothing is said"
    tally.add(kind, words)
    if kind in ("answered", "warned", "refused"):
        damaged.unlink()


def run(program, count, seed, pool, folder):
    tally = Tally("damaged videos")
    whole = make(folder / "whole")
    list(pool.map(lambda number: one(program, whole, folder, seed, number, tally), range(count)))
    return [tally.finish()]
