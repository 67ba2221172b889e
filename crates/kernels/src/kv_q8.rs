//! Signed bytes with one f32 scale a row: `value = byte * scale`. A row is one head's key or value of one token.

use crate::simd::{Fma, dispatch};

/// 1.5 * 2^23: adding it rounds to the nearest integer, which is then in the low bits.
const ROUND: f32 = 12_582_912.0;
/// Rows whose largest magnitude is below this are stored as zeros: the inverse of their scale would overflow.
const LEAST: f32 = 127.0 * f32::MIN_POSITIVE;

/// Quantizes one row into `bytes` of the same length and returns its scale, the largest magnitude / 127: no value
/// moves by more than half of it. Where a value is not finite, the scale is NaN, so that the whole row is.
pub fn quantize_q8(row: &[f32], bytes: &mut [i8]) -> f32 {
    let largest = row.iter().fold(0f32, |m, v| m.max(v.abs()));
    let not_finite: f32 = row.iter().map(|v| v * 0.0).sum(); // 0, or NaN
    let inverse = if largest >= LEAST { 127.0 / largest } else { 0.0 };
    quantize(row, inverse, bytes);
    if inverse == 0.0 { not_finite } else { largest / 127.0 + not_finite }
}

/// Writes `bytes * scale` into `row`.
pub fn dequantize_q8(bytes: &[i8], scale: f32, row: &mut [f32]) {
    dequantize(bytes, scale, row);
}

#[inline(always)]
fn quantize_body<F: Fma>(row: &[f32], inverse: f32, bytes: &mut [i8]) {
    for (byte, v) in bytes.iter_mut().zip(row) {
        *byte = (F::mul_add(*v, inverse, ROUND).to_bits().wrapping_sub(ROUND.to_bits())) as i8;
    }
}
dispatch!(fn quantize(row: &[f32], inverse: f32, bytes: &mut [i8]) = quantize_body);

#[inline(always)]
fn dequantize_body<F: Fma>(bytes: &[i8], scale: f32, row: &mut [f32]) {
    for (v, byte) in row.iter_mut().zip(bytes) {
        *v = f32::from(*byte) * scale;
    }
}
dispatch!(fn dequantize(bytes: &[i8], scale: f32, row: &mut [f32]) = dequantize_body);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(row: &[f32]) -> (Vec<i8>, f32, Vec<f32>) {
        let (mut bytes, mut back) = (vec![99; row.len()], vec![f32::NAN; row.len()]);
        let scale = quantize_q8(row, &mut bytes);
        dequantize_q8(&bytes, scale, &mut back);
        (bytes, scale, back)
    }

    proptest! {
        #[test]
        fn no_value_moves_by_more_than_half_a_scale(
            row in prop::collection::vec(-1f32..1.0, 1..200), exponent in -80i32..80,
        ) {
            let row: Vec<f32> = row.iter().map(|v| v * 2f32.powi(exponent)).collect();
            let (bytes, scale, back) = round_trip(&row);
            prop_assert!(bytes.iter().all(|b| *b != i8::MIN));
            for (v, b) in row.iter().zip(&back) {
                let error = (f64::from(*v) - f64::from(*b)).abs();
                // The quotient of up to 127 is rounded in f32, as are both scales: off by a few 1e-5 of a scale.
                prop_assert!(error <= 0.5 * f64::from(scale) * (1.0 + 1e-4), "{v} became {b}, scale {scale}");
            }
        }
    }

    #[test]
    fn the_largest_value_takes_the_last_byte() {
        let (bytes, scale, back) = round_trip(&[-2.54, 1.2, 0.0, 0.011]);
        assert_eq!(bytes, [-127, 60, 0, 1]);
        assert!((scale - 0.02).abs() < 1e-8);
        assert!((back[0] + 2.54).abs() < 1e-6);
    }

    #[test]
    fn rows_of_zeros_and_of_next_to_nothing_are_zeros() {
        assert_eq!(round_trip(&[0.0; 9]).2, [0.0; 9]);
        assert_eq!(round_trip(&[f32::MIN_POSITIVE, -1e-40]).2, [0.0; 2]);
    }

    #[test]
    fn what_is_not_finite_stays_visible() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(round_trip(&[1.0, bad, 0.0]).2.iter().all(|v| v.is_nan()), "{bad}");
        }
    }
}
