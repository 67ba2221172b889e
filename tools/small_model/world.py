"""Runs `longsight world make` and reads what it made: scripts, questions, frames."""

import json
import subprocess
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .cards import Card
from .settings import COLOURS, SHAPES

FOOTAGE_SIZE = (224, 126)


@dataclass(frozen=True)
class Video:
    """A script: which card shows when, and what is asked. `frames` at one a second."""

    path: str
    frames: int
    cards: tuple[Card, ...]
    shown: tuple[tuple[int, int], ...]  # first and last frame of each card
    questions: tuple[dict, ...]

    def card_at(self, frame):
        """Index of the card that shows, or -1."""
        return next((i for i, (first, last) in enumerate(self.shown) if first <= frame <= last), -1)


def make(settings, folder, **flags):
    """Makes a world unless it is there already; an interrupted one goes on."""
    if (folder / "questions.jsonl").exists():
        return folder
    words = [word for name, value in flags.items() for word in ("--" + name.replace("_", "-"), str(value))]
    command = [settings.longsight, "world", "make", "--out", folder, "--layout", "plain", "--quiet", "--parallel", "1"]
    subprocess.run([str(word) for word in command + words], check=True)
    return folder


def footage(settings):
    """Frames without cards, uint8 [n, 126, 224, 3], of every kind of footage."""
    cache = settings.work / "footage.npy"
    if not cache.exists():
        folder = make(settings, settings.work / "footage", videos=150, duration_secs="20..20", sizes="224x126",
                      frame_rates=1, segment_secs="2..4", cards="0..0", kinds="is-there", seed=900_001)
        videos = sorted((folder / "videos").iterdir())
        np.save(cache, np.concatenate([read_frames(path, FOOTAGE_SIZE) for path in videos]))
    return np.load(cache, mmap_mode="r")


def scripts(settings, name, videos, seed, **flags):
    """Scripts with their questions; their pictures are the cheapest there are, and not looked at."""
    cheap = dict(sizes="64x64", frame_rates=1, footage="gradient", distractors="0..0", codecs="mpeg4")
    return read(make(settings, settings.work / name, videos=videos, seed=seed, **(cheap | flags)))


def read(folder):
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    questions = {}
    for row in rows:
        questions.setdefault(row["video"], []).append(row)
    truths = [json.loads(path.read_text()) for path in sorted((folder / "truth").iterdir())]
    return [read_truth(folder, truth, questions.get(truth["video"], [])) for truth in truths]


def read_truth(folder, truth, questions):
    cards = [Card(COLOURS.index(c["plate"]), SHAPES.index(c["shape"]), COLOURS.index(c["shape_colour"]), c["number"])
             for c in truth["cards"]]
    shown = [(c["first_frame"], c["last_frame"]) for c in truth["cards"]]
    return Video(str(folder / truth["video"]), truth["frames"], tuple(cards), tuple(shown), tuple(questions))


def read_frames(path, size):
    """All frames of a video, uint8 [n, height, width, 3]."""
    width, height = size
    command = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-i", str(path), "-f", "rawvideo",
               "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def to_tower(frame, side):
    """Stretched to a square, Pillow's bicubic, as LLaVA-OneVision's preprocessing does."""
    return np.asarray(Image.fromarray(frame).resize((side, side), Image.Resampling.BICUBIC))
