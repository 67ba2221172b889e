"""The context methods' frequencies, as in docs and crates/method (YaRN's index ramp over the visual window)."""

import math
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Context:
    """`method`: none, linear, ntk, yarn or vcwe."""

    method: str = "none"
    alpha: float = 1.0
    beta: float = 32.0
    attention_factor: bool = True


def ramp(sizes, window, alpha, beta):
    """First and last pair of the ramp; pairs below the first keep their frequency."""
    def pair(rotations):
        return sizes.head_dim * math.log(window / (2 * math.pi * rotations)) / (2 * math.log(sizes.theta))
    return max(math.floor(pair(beta)), 0), min(math.ceil(pair(alpha)), sizes.head_dim - 1)


def frequencies(sizes, context, visual_tokens):
    """Angular frequencies [head_dim / 2] in f64, and the factor of cos and sin."""
    window = sizes.language_window_tokens if context.method == "yarn" else sizes.visual_window_tokens
    scale, d = max(1.0, visual_tokens / window), sizes.head_dim
    i = np.arange(d // 2)
    base = sizes.theta ** (-2 * i / d)
    if context.method == "none" or scale == 1:
        return base, 1.0
    if context.method == "linear":
        return base / scale, 1.0
    if context.method == "ntk":
        return (sizes.theta * scale ** (d / (d - 2))) ** (-2 * i / d), 1.0
    low, high = ramp(sizes, window, context.alpha, context.beta)
    share = np.clip((i - low) / (high - low if high != low else 0.001), 0, 1)
    factor = 0.1 * math.log(scale) + 1 if context.attention_factor else 1.0
    return base / scale * share + base * (1 - share), factor


def apply(decoder, sizes, context, visual_tokens):
    """Gives transformers' decoder the frequencies for a prompt of so many visual tokens."""
    values, factor = frequencies(sizes, context, visual_tokens)
    decoder.rotary_emb.inv_freq = torch.from_numpy(values).float().to(decoder.rotary_emb.inv_freq.device)
    decoder.rotary_emb.attention_scaling = factor
