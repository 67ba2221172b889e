"""Frames and tokens that every side makes for itself: `crates/bench/src/inputs.rs` holds the same formulas."""


def token_ids(tokens, vocabulary):
    below = max(1, min(vocabulary, 100_000))
    return [(i * 7919 + 13) % below for i in range(tokens)]


def frames_rgb(frames, side):
    """uint8 `[frames, side, side, 3]`."""
    import numpy as np

    i = np.arange(frames * side * side * 3, dtype=np.uint64)
    return ((i * np.uint64(2_654_435_761)) >> np.uint64(13)).astype(np.uint8).reshape(frames, side, side, 3)
