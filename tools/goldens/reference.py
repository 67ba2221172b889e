"""The stages in plain torch, after the published description; the networks themselves are transformers'."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

POOL_PLANS = {"uniform_2": (1, 2, 2), "uniform_4": (1, 4, 4), "uniform_8": (1, 8, 8),
              "progressive_4_2_8": (4, 2, 8), "progressive_3_2_4": (3, 2, 4)}
DEFAULT_PLAN = "progressive_4_2_8"
METHODS = ("none", "linear", "ntk", "yarn", "vcwe", "vcwe_no_attention_factor")


def make_frames(case, seed):
    """Smooth moving waves plus noise, uint8 [T, H, W, 3]."""
    width, height = case.frame_size
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    frames = np.empty((case.frames, height, width, 3), np.uint8)
    for t in range(case.frames):
        for c in range(3):
            wave = np.sin(x / (5 + 2 * c) + 0.9 * t) + np.cos(y / (7 - c) - 0.7 * t + c)
            noise = rng.integers(-30, 31, size=(height, width))
            frames[t, :, :, c] = np.clip(np.rint(128 + 55 * wave) + noise, 0, 255)
    return frames


def preprocess(case, frames):
    size = (case.image_size, case.image_size)
    resized = np.stack([np.asarray(Image.fromarray(f).resize(size, Image.Resampling.BICUBIC)) for f in frames])
    pixels = torch.from_numpy(resized).permute(0, 3, 1, 2).to(torch.float32) / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (case.mean, case.std))
    return resized, (pixels - mean) / std


def pool_frame(case, features, stride):
    """[N, H] of one frame -> [rows, columns, H]."""
    grid = features.view(case.grid, case.grid, -1).permute(2, 0, 1)[None]
    if case.pool_mode == "average":
        pooled = F.avg_pool2d(grid, stride)
    else:
        side = math.ceil(case.grid / stride)
        pooled = F.interpolate(grid, size=(side, side), mode="bilinear")
    return pooled[0].permute(1, 2, 0)


def pool(case, projected, plan):
    group, high, low = POOL_PLANS[plan]
    return [pool_frame(case, frame, high if t % group == 0 else low) for t, frame in enumerate(projected)]


def visual_embeddings(case, pooled, newline):
    """One sequence with its newline embeddings: once at the end, or after each row of each frame (`grid`)."""
    if case.newline == "one_token":
        return torch.cat([*(f.flatten(0, 1) for f in pooled), newline[None]])
    rows = [torch.cat([f, newline.expand(f.shape[0], 1, -1)], dim=1).flatten(0, 1) for f in pooled]
    return torch.cat(rows)


def inv_freq_f64(case, method, scale, window):
    d, b = case.head_dim, case.theta
    i = np.arange(d // 2, dtype=np.float64)
    base = b ** (-2 * i / d)
    if method == "none":
        return base
    if method == "linear":
        return base / scale
    if method == "ntk":
        return (b * scale ** (d / (d - 2))) ** (-2 * i / d)

    def dim(rotations):
        return d * math.log(window / (2 * math.pi * rotations)) / (2 * math.log(b))

    low, high = max(math.floor(dim(case.beta)), 0), min(math.ceil(dim(case.alpha)), d - 1)
    ramp = np.clip((i - low) / (high - low if high != low else 0.001), 0, 1)
    return base / scale * ramp + base * (1 - ramp)


def rope_settings(case, method, visual_tokens):
    window = case.language_window if method == "yarn" else case.visual_window
    scale = max(1.0, visual_tokens / window)
    on = method in ("yarn", "vcwe") and scale > 1
    factor = 0.1 * math.log(scale) + 1 if on else 1.0
    return {"scale": scale, "window": window, "attention_factor": factor}


def set_rope(model, case, method, visual_tokens):
    """Gives transformers' decoder the method; checks its frequencies against the formula in f64."""
    s = rope_settings(case, method, visual_tokens)
    scale, window = s["scale"], s["window"]
    assert scale > 1, f"{case.name}: {method} has s = {scale}"
    d = case.head_dim
    rope = {
        "none": {"rope_type": "default", "rope_theta": case.theta},
        "linear": {"rope_type": "linear", "rope_theta": case.theta, "factor": scale},
        "ntk": {"rope_type": "default", "rope_theta": case.theta * scale ** (d / (d - 2))},
    }.get(method) or {
        "rope_type": "yarn", "rope_theta": case.theta, "factor": scale, "truncate": True,
        "original_max_position_embeddings": window, "attention_factor": s["attention_factor"],
        "beta_fast": case.beta, "beta_slow": case.alpha,
    }
    decoder = model.get_decoder()
    decoder.config.rope_parameters = rope
    decoder.rotary_emb = type(decoder.rotary_emb)(decoder.config)
    assert decoder.rotary_emb.attention_scaling == s["attention_factor"]
    expected = inv_freq_f64(case, method.removesuffix("_no_attention_factor"), scale, window)
    actual = decoder.rotary_emb.inv_freq.double().numpy()
    assert np.abs(actual / expected - 1).max() < 1e-6, f"{case.name}: {method} frequencies differ"
    return s | {"inv_freq": expected.tolist()}
