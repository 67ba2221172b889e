"""Accuracy by context method and length, in PyTorch, on the validation seeds."""

from dataclasses import replace

import numpy as np
import torch

from . import decoder as decoding
from . import rope
from .pooling import PROGRESSIVE, UNIFORM_2
from .rope import Context

METHODS = {"none": Context(), "linear": Context("linear"), "ntk": Context("ntk"), "yarn": Context("yarn")} | {
    f"vcwe beta {beta}": Context("vcwe", beta=beta) for beta in (32, 16, 8, 4)}


@torch.no_grad()
def accuracy(decoder, material, frames, pooling, context, videos, count=8):
    """Hits by group (retrieval, order, choice) as lists of true and false, over videos of so many frames."""
    level = replace(decoding.LEVELS[-1], cards=(4, 8) if frames >= 16 else (2, 3))
    tokens = pooling.tokens(frames, material.settings.tower.grid_side)
    rope.apply(decoder.language, decoder.sizes, context, tokens)
    progress = decoding.Progress(0)
    for _ in range(videos):
        sequence, features = material.draw_video(level, pooling, frames, count)
        with torch.autocast("cpu", torch.bfloat16):
            visual = decoder.visual(features, pooling)
            _, verdicts = decoding.answer_loss(decoder, decoding.sequences.stack([sequence]), [visual])
        progress.add(False, 0.0, verdicts, 0.0)
    rope.apply(decoder.language, decoder.sizes, Context(), 0)
    return progress.hits


def table(decoder, material, videos=20, lengths=(32, 64, 256)):
    """Prints the table; every cell sees the same videos. Stretched contexts matter only past the window."""
    print("frames pooling method " + " ".join(("retrieval", "order", "choice")))
    for pooling in (UNIFORM_2, PROGRESSIVE):
        for frames in lengths:
            inside = pooling.tokens(frames, 9) <= decoder.sizes.visual_window_tokens
            for name, context in list(METHODS.items())[:1] if inside else METHODS.items():
                material.seed(frames)
                hits = accuracy(decoder, material, frames, pooling, context, videos)
                cells = (f"{np.mean(hits[g]):.3f} ({len(hits[g])})" for g in ("retrieval", "order", "choice") if g in hits)
                print(frames, pooling, name, *cells, sep="\t", flush=True)
