"""Accuracy by context method and length, in PyTorch, on the validation seeds."""

from dataclasses import replace

import numpy as np
import torch

from . import decoder as decoding
from . import rope
from .material import LEVELS
from .pooling import PROGRESSIVE, UNIFORM_2
from .rope import Context
from .sequences import IGNORED, stack
from .state import mixed, on_device

METHODS = {"none": Context(), "linear": Context("linear"), "ntk": Context("ntk"), "yarn": Context("yarn")} | {
    f"vcwe beta {beta}": Context("vcwe", beta=beta) for beta in (32, 16, 8, 4)}


@torch.no_grad()
def accuracy(decoder, material, frames, pooling, context, videos, count=8):
    """Hits by group (retrieval, order, choice) as lists of true and false, over videos of so many frames."""
    level = replace(LEVELS[-1], cards=(4, 8) if frames >= 16 else (2, 3))
    tokens = pooling.tokens(frames, material.settings.tower.grid_side)
    rope.apply(decoder.language, decoder.sizes, context, tokens)
    progress = decoding.Progress()
    for _ in range(videos):
        sequence, rows = material.draw_video(level, pooling, frames, count)
        judge(decoder, material, sequence, progress, torch.tensor([rows]), pooling)
    rope.apply(decoder.language, decoder.sizes, Context(), 0)
    return progress.hits


def judge(decoder, material, sequence, progress, rows=None, pooling=None):
    """Adds one sequence's hits to the progress; returns its loss."""
    device = material.settings.device
    batch = on_device(stack([sequence]), device)
    with mixed(device):
        visual = None if rows is None else decoder.visual(material.library[rows], pooling)
        loss, wrong = decoding.answer_loss(decoder, batch, visual)
    progress.add(False, loss, decoding.verdicts(batch, wrong), {})
    return loss.item()


def table(decoder, material, videos=20, lengths=(32, 64, 256)):
    """Prints the table; every cell sees the same videos. Stretched contexts matter only past the window."""
    groups = ("retrieval", "order", "choice", "count", "when", "describe")
    print("frames", "pooling", "method", *groups, sep="\t")
    for pooling in (UNIFORM_2, PROGRESSIVE):
        for frames in lengths:
            inside = pooling.tokens(frames, 9) <= decoder.sizes.visual_window_tokens
            for name, context in list(METHODS.items())[:1] if inside else METHODS.items():
                material.seed(frames)
                hits = accuracy(decoder, material, frames, pooling, context, videos)
                cells = (f"{np.mean(hits[g]):.3f} ({len(hits[g])})" for g in groups if g in hits)
                print(frames, pooling, name, *cells, sep="\t", flush=True)


@torch.no_grad()
def text_table(decoder, material, lengths=(512, 800, 1024, 2048, 4096, 6400), texts=24):
    """Prints accuracy on tables and perplexity of unseen English by length, positions untouched (`none`): how far the
    language window reaches. Only the last 256 tokens of an excerpt count, since those see all of its length.
    """
    print("tokens", "tables right", "perplexity of the last 256 tokens", sep="\t")
    for length in lengths:
        material.seed(length)
        progress, losses = decoding.Progress(), []
        for _ in range(texts):
            judge(decoder, material, material.draw_table(LEVELS[-1], length // 12, 8), progress)
        right = [hit for name, hits in progress.hits.items() if name != "describe" for hit in hits]
        for _ in range(texts):
            sequence = material.packer.of_english(length, material.random, held_out=True)
            sequence.labels[:-256] = [IGNORED] * (length - 256)
            losses.append(judge(decoder, material, sequence, progress))
        print(length, f"{np.mean(right):.3f} ({len(right)})", f"{np.exp(np.mean(losses)):.2f}", sep="\t", flush=True)
