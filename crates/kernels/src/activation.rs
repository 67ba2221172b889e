//! Element-wise activations, in parallel over pieces of fixed size.

use crate::simd::{Fma, dispatch, exp};
use rayon::prelude::*;

/// Values a task: large enough to hide the cost of a task, small enough to balance.
const PIECE: usize = 16 * 1024;

#[inline(always)]
fn gelu_tanh_body<F: Fma>(x: &mut [f32]) {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    for v in x {
        // 0.5 (1 + tanh u) = 1 / (1 + e^(-2u)): one exponential and no cancellation.
        let u = SQRT_2_OVER_PI * *v * F::mul_add(0.044_715 * *v, *v, 1.0);
        *v /= 1.0 + exp::<F>((-2.0 * u).min(88.0));
    }
}
dispatch!(fn gelu_tanh_piece(x: &mut [f32]) = gelu_tanh_body);

#[inline(always)]
fn silu_mul_body<F: Fma>(gate: &mut [f32], up: &[f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        *g = *g / (1.0 + exp::<F>((-*g).min(88.0))) * u;
    }
}
dispatch!(fn silu_mul_piece(gate: &mut [f32], up: &[f32]) = silu_mul_body);

/// GELU in its tanh form, in place (`gelu_pytorch_tanh`, the SigLIP tower's).
pub fn gelu_tanh(x: &mut [f32]) {
    x.par_chunks_mut(PIECE).for_each(gelu_tanh_piece);
}

/// x * Phi(x) = x / 2 * erfc(-x / sqrt 2), by the Chebyshev fit of erfc in Numerical Recipes (section 6.2 of the second edition,
/// `erfcc`): off by at most 1.2e-7 of erfc, before f32's rounding.
#[inline(always)]
fn gelu_erf_body<F: Fma>(x: &mut [f32]) {
    const FIT: [f32; 10] = [
        0.170_872_77,
        -0.822_152_2,
        1.488_515_9,
        -1.135_204,
        0.278_868_08,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_7,
        -1.265_512_2,
    ];
    for v in x {
        let z = (*v * std::f32::consts::FRAC_1_SQRT_2).abs();
        let t = 1.0 / F::mul_add(z, 0.5, 1.0);
        let fit = FIT.iter().fold(0.0, |sum, factor| F::mul_add(sum, t, *factor));
        let erfc = t * exp::<F>(F::mul_add(-z, z, fit).max(-100.0));
        *v *= 0.5 * if *v < 0.0 { erfc } else { 2.0 - erfc };
    }
}
dispatch!(fn gelu_erf_piece(x: &mut [f32]) = gelu_erf_body);

/// Exact GELU, x * Phi(x) by the error function, in place (the projector's).
pub fn gelu_erf(x: &mut [f32]) {
    x.par_chunks_mut(PIECE).for_each(gelu_erf_piece);
}

/// `gate = silu(gate) * up`, in place: the gated MLP of Qwen2 and LLaMA. Both have the same length.
pub fn silu_mul(gate: &mut [f32], up: &[f32]) {
    assert_eq!(gate.len(), up.len(), "silu_mul: gate and up differ in length");
    gate.par_chunks_mut(PIECE).zip(up.par_chunks(PIECE)).for_each(|(g, u)| silu_mul_piece(g, u));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Vec<f32> {
        (-4000..=4000).map(|i| i as f32 * 0.005).chain([-100.0, 100.0, 0.0, 1e-20]).collect()
    }

    fn assert_close(got: &[f32], expected: impl Iterator<Item = f64>) {
        for (i, (g, e)) in got.iter().zip(expected).enumerate() {
            assert!((f64::from(*g) - e).abs() <= 1e-6 * (1.0 + e.abs()), "at {i}: {g} is not {e}");
        }
    }

    #[test]
    fn gelu_tanh_equals_its_f64_formula() {
        let mut x = inputs();
        gelu_tanh(&mut x);
        let k = (2.0 / std::f64::consts::PI).sqrt();
        assert_close(
            &x,
            inputs()
                .into_iter()
                .map(f64::from)
                .map(|v| 0.5 * v * (1.0 + (k * (v + 0.044715 * v * v * v)).tanh())),
        );
    }

    #[test]
    fn gelu_erf_equals_its_f64_formula() {
        let mut x = inputs();
        gelu_erf(&mut x);
        let expected = inputs().into_iter().map(f64::from);
        assert_close(&x, expected.map(|v| 0.5 * v * (1.0 + libm::erf(v * std::f64::consts::FRAC_1_SQRT_2))));
    }

    #[test]
    fn silu_mul_equals_its_f64_formula() {
        let mut x = inputs();
        let up: Vec<f32> = inputs().iter().map(|v| v * 0.3 - 1.0).collect();
        silu_mul(&mut x, &up);
        let expected = inputs().into_iter().map(f64::from).map(|v| v / (1.0 + (-v).exp()) * (v * 0.3 - 1.0));
        assert_close(&x, expected);
    }
}
