//! Row-wise normalisation; in parallel over rows.

use crate::simd::{Fma, dispatch};
use rayon::prelude::*;

const LANES: usize = 16;

/// Sum of `f(v)` over a row in 16 running sums: exact enough, and vectorisable.
#[inline(always)]
fn lane_sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let mut blocks = row.chunks_exact(LANES);
    for block in &mut blocks {
        for (s, v) in sums.iter_mut().zip(block) {
            *s += f(*v);
        }
    }
    let tail: f32 = blocks.remainder().iter().map(|v| f(*v)).sum();
    sums.iter().sum::<f32>() + tail
}

#[inline(always)]
fn rms_row_body<F: Fma>(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let mean_square = lane_sum(x, |v| v * v) / x.len() as f32;
    let scale = 1.0 / (mean_square + eps).sqrt();
    for ((o, v), w) in out.iter_mut().zip(x).zip(weight) {
        *o = v * scale * w;
    }
}
dispatch!(fn rms_row(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) = rms_row_body);

#[inline(always)]
fn layer_row_body<F: Fma>(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let mean = lane_sum(x, |v| v) / x.len() as f32;
    let variance = lane_sum(x, |v| (v - mean) * (v - mean)) / x.len() as f32;
    let scale = 1.0 / (variance + eps).sqrt();
    for (((o, v), w), b) in out.iter_mut().zip(x).zip(weight).zip(bias) {
        *o = F::mul_add((v - mean) * scale, *w, *b);
    }
}
dispatch!(fn layer_row(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) = layer_row_body);

/// RMSNorm: `out = x / sqrt(mean(x^2) + eps) * weight`, for each row of `weight.len()` values.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let width = weight.len();
    assert!(
        width > 0 && x.len().is_multiple_of(width) && x.len() == out.len(),
        "rms_norm: shapes do not agree"
    );
    out.par_chunks_mut(width).zip(x.par_chunks(width)).for_each(|(out, x)| rms_row(x, weight, eps, out));
}

/// LayerNorm with weight and bias, for each row of `weight.len()` values (population variance).
pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let width = weight.len();
    assert!(
        width > 0 && bias.len() == width && x.len().is_multiple_of(width) && x.len() == out.len(),
        "layer_norm: shapes do not agree"
    );
    out.par_chunks_mut(width)
        .zip(x.par_chunks(width))
        .for_each(|(out, x)| layer_row(x, weight, bias, eps, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(rows: usize, width: usize) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let x = (0..rows * width).map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.1 + 3.0).collect();
        let w = (0..width).map(|i| 0.5 + i as f32 * 0.01).collect();
        let b = (0..width).map(|i| i as f32 * 0.02 - 0.3).collect();
        (x, w, b)
    }

    #[test]
    fn norms_equal_their_f64_formulas() {
        for width in [1, 7, 64, 1152] {
            let (x, w, b) = data(3, width);
            let mut rms = vec![0.0; x.len()];
            let mut layer = vec![0.0; x.len()];
            rms_norm(&x, &w, 1e-6, &mut rms);
            layer_norm(&x, &w, &b, 1e-6, &mut layer);
            for (r, row) in x.chunks(width).enumerate() {
                let row: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
                let n = width as f64;
                let mean = row.iter().sum::<f64>() / n;
                let square = row.iter().map(|v| v * v).sum::<f64>() / n;
                let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
                for (i, v) in row.iter().enumerate() {
                    let (w, b) = (f64::from(w[i]), f64::from(b[i]));
                    let expected_rms = v / (square + 1e-6).sqrt() * w;
                    let expected_layer = (v - mean) / (variance + 1e-6).sqrt() * w + b;
                    assert!((f64::from(rms[r * width + i]) - expected_rms).abs() < 1e-5);
                    assert!((f64::from(layer[r * width + i]) - expected_layer).abs() < 2e-5);
                }
            }
        }
    }
}
