//! Frames and tokens that every side of a comparison makes for itself: `tools/bench/inputs.py` holds the same formulas.

/// `tokens` ids below `vocabulary`.
pub(crate) fn token_ids(tokens: usize, vocabulary: usize) -> Vec<u32> {
    let below = vocabulary.clamp(1, 100_000);
    (0..tokens).map(|i| ((i * 7919 + 13) % below) as u32).collect()
}

/// Row-major RGB bytes of frame `ordinal`, `side x side` pixels.
pub(crate) fn frame_rgb(ordinal: usize, side: usize) -> Vec<u8> {
    let bytes = side * side * 3;
    let start = (ordinal * bytes) as u64;
    (start..start + bytes as u64).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tools/bench/inputs.py` asserts the same numbers.
    #[test]
    fn are_the_same_everywhere() {
        assert_eq!(token_ids(4, 151_936), [13, 7932, 15_851, 23_770]);
        assert!(token_ids(100, 50).iter().all(|id| *id < 50));
        assert_eq!(frame_rgb(0, 384)[..5], [0, 187, 119, 51, 239]);
        assert_ne!(frame_rgb(0, 384)[..8], frame_rgb(1, 384)[..8]);
    }
}
