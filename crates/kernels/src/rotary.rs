//! Rotary position embedding, half-split layout.

use rayon::prelude::*;

/// Rotates `x` `[tokens, heads, head_dim]` in place by `cos` and `sin` `[tokens, head_dim / 2]`:
/// channel i pairs with i + head_dim/2, `(x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin)`.
pub fn rotate_half(x: &mut [f32], cos: &[f32], sin: &[f32], heads: usize, head_dim: usize) {
    let half = head_dim / 2;
    let width = heads * head_dim;
    assert!(
        half > 0
            && heads > 0
            && x.len().is_multiple_of(width)
            && cos.len() == sin.len()
            && cos.len() == x.len() / width * half,
        "rotate_half: shapes do not agree"
    );
    x.par_chunks_mut(width).zip(cos.par_chunks(half).zip(sin.par_chunks(half))).for_each(
        |(token, (cos, sin))| {
            for head in token.chunks_exact_mut(head_dim) {
                let (first, second) = head.split_at_mut(half);
                for i in 0..half {
                    let (a, b) = (first[i], second[i]);
                    first[i] = a * cos[i] - b * sin[i];
                    second[i] = b * cos[i] + a * sin[i];
                }
            }
        },
    );
}
