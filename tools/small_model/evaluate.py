"""What the decoder makes of text: how far the language window reaches. Videos are `longsight eval`'s to measure."""

import numpy as np
import torch

from . import decoder as decoding
from .material import LEVELS
from .sequences import IGNORED, stack
from .state import mixed, on_device


@torch.no_grad()
def text_table(decoder, material, lengths=(512, 800, 1024, 2048, 4096, 6400), texts=24):
    """Prints accuracy on tables and perplexity of unseen English by length, positions untouched (`none`). Only the last 256
    tokens of an excerpt count, since those see all of its length.
    """
    print("tokens", "tables right", "perplexity of the last 256 tokens", sep="\t")
    for length in lengths:
        material.seed(length)
        progress, losses = decoding.Progress(), []
        for _ in range(texts):
            judge(decoder, material.draw_table(LEVELS[-1], length // 12, 8), progress)
        right = [hit for name, hits in progress.hits.items() if name not in ("describe", "count") for hit in hits]
        for _ in range(texts):
            sequence = material.packer.of_english(length, material.random, held_out=True)
            sequence.labels[:-256] = [IGNORED] * (length - 256)
            losses.append(judge(decoder, sequence, progress))
        print(length, f"{np.mean(right):.3f} ({len(right)})", f"{np.exp(np.mean(losses)):.2f}", sep="\t", flush=True)


def judge(decoder, sequence, progress):
    """Adds one text's hits to the progress; returns its loss."""
    device = decoder.newline.device
    batch = on_device(stack([sequence]), device)
    with mixed(device.type):
        loss, wrong = decoding.answer_loss(decoder, batch)
    progress.add(False, loss, decoding.verdicts(batch, wrong), {})
    return loss.item()
