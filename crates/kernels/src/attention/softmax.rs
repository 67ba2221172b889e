//! A row of scores to weights.

use crate::simd::{Fma, dispatch, exp};

#[inline(always)]
fn row_maximum_body<F: Fma>(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let blocks = row.chunks_exact(16);
    let tail = blocks.remainder().iter().fold(f32::NEG_INFINITY, |m, v| if *v > m { *v } else { m });
    for block in blocks {
        lanes.iter_mut().zip(block).for_each(|(m, v)| *m = if *v > *m { *v } else { *m });
    }
    // Halves by halves, which is a vector each: one number after the other takes longer than the row.
    let mut half = lanes.len() / 2;
    while half > 0 {
        let (first, second) = lanes.split_at_mut(half);
        first.iter_mut().zip(second).for_each(|(m, v)| *m = if *v > *m { *v } else { *m });
        half /= 2;
    }
    if tail > lanes[0] { tail } else { lanes[0] }
}
dispatch!(pub(super) fn row_maximum(row: &[f32]) -> f32 = row_maximum_body);

/// row = e^(row - maximum); returns the sum.
#[inline(always)]
fn exp_row_body<F: Fma>(row: &mut [f32], maximum: f32) -> f32 {
    let mut sums = [0f32; 16];
    let mut blocks = row.chunks_exact_mut(16);
    for block in &mut blocks {
        for (sum, v) in sums.iter_mut().zip(block) {
            *v = exp::<F>(*v - maximum);
            *sum += *v;
        }
    }
    let mut tail = 0.0;
    for v in blocks.into_remainder() {
        *v = exp::<F>(*v - maximum);
        tail += *v;
    }
    sums.iter().sum::<f32>() + tail
}
dispatch!(pub(super) fn exp_row(row: &mut [f32], maximum: f32) -> f32 = exp_row_body);
