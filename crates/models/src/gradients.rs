//! Gradients through the tensor backend against central differences, in f64: every kind of layer, on inputs and weights.

use crate::Backend::Tensors;
use crate::LowRank;
use crate::backend::AttentionInput;
use crate::layers::{LayerNorm, Linear, RmsNorm, Rotary};
use crate::merger::Merger;
use crate::pool::pool_unit;
use crate::weights::Matrix;
use candle_core::{Device, Result, Tensor, Var};
use longsight_method::{Grid, NewlineMode, PoolMode, PoolPlan, PoolSpec, RopePlan, RopeSettings, RopeShape};

/// Half the distance of the two values whose difference is taken.
const STEP: f64 = 1e-5;
/// Of a gradient of order one. What the differences miss is below 1e-8; candle's gradients of both GELUs have constants of
/// six digits.
const TOLERANCE: f64 = 3e-6;

/// Values in (-1, 1) of the given shape, another for each seed.
pub(crate) fn noise(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// A number that depends on every value of what `layer` makes of `inputs`.
fn loss(layer: &impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> Tensor {
    let output = layer(inputs).unwrap();
    let weights = noise(output.dims(), 99);
    output.mul(&weights).unwrap().sum_all().unwrap()
}

/// Holds the gradient of `layer` with respect to every value of every input against central differences.
pub(crate) fn check(what: &str, inputs: &[Tensor], layer: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let vars: Vec<Var> = inputs.iter().map(|input| Var::from_tensor(input).unwrap()).collect();
    let variables: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let gradients = loss(&layer, &variables).backward().unwrap();
    for (i, input) in inputs.iter().enumerate() {
        let gradient = gradients.get(&vars[i]).unwrap_or_else(|| panic!("{what}: input {i} has no gradient"));
        let gradient: Vec<f64> = gradient.flatten_all().unwrap().to_vec1().unwrap();
        let values: Vec<f64> = input.flatten_all().unwrap().to_vec1().unwrap();
        let moved = |at: usize, by: f64| {
            let mut values = values.clone();
            values[at] += by;
            let mut inputs = inputs.to_vec();
            inputs[i] = Tensor::from_vec(values, input.dims(), &Device::Cpu).unwrap();
            loss(&layer, &inputs).to_scalar::<f64>().unwrap()
        };
        assert!(gradient.iter().any(|g| g.abs() > 1e-3), "{what}: input {i} moves nothing");
        for (at, gradient) in gradient.iter().enumerate() {
            let difference = (moved(at, STEP) - moved(at, -STEP)) / (2.0 * STEP);
            let error = (gradient - difference).abs() / difference.abs().max(1.0);
            assert!(error < TOLERANCE, "{what}: input {i}, value {at}: {gradient} for {difference}");
        }
    }
}

pub(crate) fn linear(weight: &Tensor, bias: Option<&Tensor>) -> Linear {
    Linear::new(Matrix::Floats(weight.clone()), bias.cloned(), Tensors)
}

/// cos and sin of `slots` for heads of 4 channels.
pub(crate) fn rotary(slots: std::ops::Range<usize>) -> Rotary {
    let shape = RopeShape { head_dim: 4, theta: 100.0, visual_window_tokens: 64, language_window_tokens: 64 };
    let plan = RopePlan::new(&RopeSettings::default(), &shape, 8).unwrap();
    Rotary::new(&plan, &slots.collect::<Vec<_>>(), &Device::Cpu).unwrap()
}

#[test]
fn linear_layers() {
    let (x, weight, bias) = (noise(&[2, 3, 5], 1), noise(&[4, 5], 2), noise(&[4], 3));
    check("linear", &[x.clone(), weight.clone()], |v| linear(&v[1], None).forward(&v[0]));
    check("linear with bias", &[x, weight, bias], |v| linear(&v[1], Some(&v[2])).forward(&v[0]));
}

#[test]
fn low_rank_terms_and_not_the_frozen_weight() {
    let (x, weight, a, b) = (noise(&[2, 5], 1), noise(&[4, 5], 2), noise(&[3, 5], 3), noise(&[4, 3], 4));
    let wrapped = |a: &Tensor, b: &Tensor| {
        linear(&weight, None).with_low_rank(LowRank::new(a.clone(), b.clone(), 6.0).unwrap())
    };
    check("low rank", &[x.clone(), a.clone(), b.clone()], |v| wrapped(&v[1], &v[2]).forward(&v[0]));
    let [a, b] = [a, b].map(|t| Var::from_tensor(&t).unwrap());
    let gradients = loss(&|_| wrapped(&a, &b).forward(&x), &[]).backward().unwrap();
    assert!(gradients.get(&a).is_some() && gradients.get(&b).is_some() && gradients.get(&weight).is_none());
}

#[test]
fn norms() {
    let (x, weight, bias) = (noise(&[2, 3, 5], 1), noise(&[5], 2), noise(&[5], 3));
    check("rms norm", &[x.clone(), weight.clone()], |v| {
        RmsNorm::new(v[1].clone(), 1e-6, Tensors).forward(&v[0])
    });
    check("layer norm", &[x, weight, bias], |v| {
        LayerNorm::new(v[1].clone(), v[2].clone(), 1e-6, Tensors).forward(&v[0])
    });
}

#[test]
fn activations() {
    let x = (noise(&[40], 1) * 4.0).unwrap();
    let one = std::slice::from_ref(&x);
    check("tanh gelu", one, |v| Tensors.gelu_tanh(v[0].clone()));
    check("exact gelu", one, |v| Tensors.gelu_erf(v[0].clone()));
    check("silu_mul", &[x.clone(), noise(&[40], 2)], |v| Tensors.silu_mul(v[0].clone(), &v[1]));
}

#[test]
fn rotation() {
    check("rotate", &[noise(&[3, 2, 4], 1)], |v| rotary(5..8).rotate(v[0].clone(), Tensors));
}

#[test]
fn attention() {
    // Three queries of two heads a key head, causal after two tokens; then full attention over a batch.
    for (what, heads, kv_heads, keys, causal_offset) in
        [("causal", 4, 2, 5, Some(2)), ("full", 2, 2, 3, None), ("first", 2, 1, 3, Some(0))]
    {
        let inputs = [
            noise(&[2, 3, heads, 4], 1),
            noise(&[2, kv_heads, keys, 4], 2),
            noise(&[2, kv_heads, keys, 4], 3),
        ];
        check(&format!("{what} attention"), &inputs, |v| {
            let (queries, keys, values) = (&v[0], &v[1], &v[2]);
            Tensors.attention(&AttentionInput { queries, keys, values, causal_offset, exact: true })
        });
    }
    // More keys than a tile has.
    let (queries, rest) = (noise(&[1, 2, 1, 2], 1), [noise(&[1, 1, 1030, 2], 2), noise(&[1, 1, 1030, 2], 3)]);
    check("tiled attention", &[queries], |v| {
        let (queries, keys, values) = (&v[0], &rest[0], &rest[1]);
        Tensors.attention(&AttentionInput { queries, keys, values, causal_offset: Some(1028), exact: true })
    });
}

#[test]
fn mergers() {
    let patches = Grid { time: 1, rows: 2, columns: 4 };
    let x = noise(&[2, 8, 3], 1);
    let weights = [noise(&[4, 3], 2), noise(&[4], 3), noise(&[4, 4], 4), noise(&[4], 5)];
    check("mlp merger", &[&[x.clone()][..], &weights].concat(), |v| {
        let (first, second) = (linear(&v[1], Some(&v[2])), linear(&v[3], Some(&v[4])));
        let merger = Merger::Mlp { first, second, backend: Tensors };
        merger.forward(&v[0]).map_err(candle_core::Error::wrap)
    });
    check("pixel shuffle", &[x, noise(&[4, 12], 2)], |v| {
        let merger = Merger::PixelShuffle { patches, scale: 2, linear: linear(&v[1], None) };
        merger.forward(&v[0]).map_err(candle_core::Error::wrap)
    });
}

#[test]
fn pooling() {
    let grid = Grid { time: 1, rows: 5, columns: 4 };
    let inputs = [noise(&[20, 3], 1), noise(&[3], 2)];
    for mode in [PoolMode::Bilinear, PoolMode::Average, PoolMode::Max] {
        for newline in [NewlineMode::Grid, NewlineMode::Frame] {
            let plan = PoolPlan::new(grid, 1, PoolSpec::Uniform { stride: 2 }, mode, newline).unwrap();
            check(&format!("{mode:?} pooling, {newline:?}"), &inputs, |v| {
                pool_unit(&plan, 0, &v[0], Some(&v[1])).map_err(candle_core::Error::wrap)
            });
        }
    }
}
