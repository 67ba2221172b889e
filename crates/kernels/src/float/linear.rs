//! `y = x W^T + b` with weights in any storage type.

use super::shape::Linear;
use crate::Values;
use crate::isa::bf16_unit;
use crate::simd::{Fma, dispatch, widen_f16};
use crate::tiles::MAX_DOT_ROWS;
use half::{bf16, f16};
use rayon::prelude::*;

/// Weight rows a task of [`dot_rows`].
const PANEL_ROWS: usize = 64;
const LANES: usize = 16;

/// `x W^T + b`, `[rows, outputs]`, in parallel over the outputs.
///
/// # Panics
/// When the slices do not have the shape that `layer` says.
pub fn linear(layer: &Linear<'_>, x: &[f32]) -> Vec<f32> {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let rows = x.len() / inputs.max(1);
    assert!(
        x.len() == rows * inputs && layer.weight.len() == outputs * inputs,
        "linear: shapes do not agree"
    );
    let bias = layer.bias.map(|bias| bias.to_floats(outputs));
    match layer.weight {
        _ if rows == 0 || outputs == 0 => Vec::new(),
        _ if rows <= MAX_DOT_ROWS => dot_rows(layer, bias.as_deref(), x),
        Values::Bf16(weight) if bf16_unit().is_some() => {
            super::bf16::product(layer, weight, bias.as_deref(), x)
        }
        _ => super::f32::product(layer, bias.as_deref(), x),
    }
}

/// Few rows: bound by reading the weights, so each weight is read once, in its storage type.
fn dot_rows(layer: &Linear<'_>, bias: Option<&[f32]>, x: &[f32]) -> Vec<f32> {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let mut y = vec![0f32; x.len() / inputs * outputs];
    for (x, y) in x.chunks_exact(inputs).zip(y.chunks_exact_mut(outputs)) {
        y.par_chunks_mut(PANEL_ROWS).enumerate().for_each(|(panel, y)| {
            for (i, y) in y.iter_mut().enumerate() {
                let output = panel * PANEL_ROWS + i;
                let product = match layer.weight.part(output * inputs, inputs) {
                    Values::F32(w) => dot_f32(x, w),
                    Values::Bf16(w) => dot_bf16(x, w),
                    Values::F16(w) => dot_f16(x, w),
                };
                *y = product + bias.map_or(0.0, |bias| bias[output]);
            }
        });
    }
    y
}

/// Dot product in 4 x 16 running sums; `$widen` turns a stored value into f32.
macro_rules! dot {
    ($name:ident, $body:ident, $ty:ty, $widen:expr) => {
        #[inline(always)]
        fn $body<F: Fma>(x: &[f32], w: &[$ty]) -> f32 {
            const BLOCK: usize = 4 * LANES;
            let mut sums = [[0f32; LANES]; 4];
            let (x_blocks, w_blocks) = (x.chunks_exact(BLOCK), w.chunks_exact(BLOCK));
            let tail: f32 =
                x_blocks.remainder().iter().zip(w_blocks.remainder()).map(|(x, w)| x * $widen(*w)).sum();
            for (x, w) in x_blocks.zip(w_blocks) {
                for lane in 0..LANES {
                    for (part, sums) in sums.iter_mut().enumerate() {
                        let at = part * LANES + lane;
                        sums[lane] = F::mul_add(x[at], $widen(w[at]), sums[lane]);
                    }
                }
            }
            let mut total = [0f32; LANES];
            for part in sums {
                total.iter_mut().zip(part).for_each(|(t, s)| *t += s);
            }
            total.iter().sum::<f32>() + tail
        }
        dispatch!(fn $name(x: &[f32], w: &[$ty]) -> f32 = $body);
    };
}
dot!(dot_f32, dot_f32_body, f32, |v: f32| v);
dot!(dot_bf16, dot_bf16_body, bf16, |v: bf16| f32::from_bits(u32::from(v.to_bits()) << 16));
dot!(dot_f16, dot_f16_body, f16, widen_f16);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_numbers;

    /// Numbers from -0.5 to 0.5.
    fn random(n: usize, seed: u64) -> Vec<f32> {
        test_numbers::random(n, seed).iter().map(|v| v / 6.0).collect()
    }

    fn check(rows: usize, inputs: usize, outputs: usize) {
        let (x, w, b) = (random(rows * inputs, 1), random(outputs * inputs, 2), random(outputs, 3));
        let as_bf16: Vec<bf16> = w.iter().map(|v| bf16::from_f32(*v)).collect();
        let as_f16: Vec<f16> = w.iter().map(|v| f16::from_f32(*v)).collect();
        for weight in [Values::F32(&w), Values::Bf16(&as_bf16), Values::F16(&as_f16)] {
            let mut wide = vec![0.0; w.len()];
            weight.widen(&mut wide);
            let y = linear(&Linear { weight, bias: Some(Values::F32(&b)), inputs, outputs }, &x);
            let rounds = matches!(weight, Values::Bf16(_))
                && rows > MAX_DOT_ROWS
                && bf16_unit() == Some(crate::isa::Unit::Avx512);
            let seen = |v: f32| f64::from(if rounds { bf16::from_f32(v).to_f32() } else { v });
            assert_eq!(y.len(), rows * outputs);
            for r in 0..rows {
                for o in 0..outputs {
                    let products =
                        (0..inputs).map(|k| seen(x[r * inputs + k]) * f64::from(wide[o * inputs + k]));
                    let expected = products.sum::<f64>() + f64::from(b[o]);
                    assert!(
                        (f64::from(y[r * outputs + o]) - expected).abs() < 1e-4,
                        "{rows} {inputs} {outputs}"
                    );
                }
            }
        }
    }

    #[test]
    fn equals_f64_for_every_storage_type_and_row_count() {
        for rows in [1, 2, 4, 5, 33] {
            for (inputs, outputs) in [(1, 1), (64, 64), (100, 257), (129, 300)] {
                check(rows, inputs, outputs);
            }
        }
    }
}
