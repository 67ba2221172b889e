use super::*;
use crate::integer::BLOCK;
use crate::integer::Format;
use crate::integer::activations::Bits;
use crate::quantize_int8;
use half::f16;

const FORMATS: [Format; 9] = [
    Format::Int8,
    Format::Q8_0,
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q6K,
    Format::Q5K,
    Format::Q4K,
];

struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.next() as f32 / u32::MAX as f32 - 0.5).collect()
    }

    /// Any bytes are weights, once the f16 scales are sensible.
    fn weights(&mut self, format: Format, inputs: usize, outputs: usize) -> Vec<u8> {
        if format == Format::Int8 {
            let mut bytes = Vec::new();
            self.floats(inputs * outputs).chunks(inputs).for_each(|row| quantize_int8(row, &mut bytes));
            return bytes;
        }
        let mut bytes: Vec<u8> =
            (0..format.row_bytes(inputs) * outputs).map(|_| (self.next() >> 9) as u8).collect();
        for block in bytes.chunks_mut(format.block().1) {
            let scales: &[usize] = match format {
                Format::Q6K => &[208],
                Format::Q5K | Format::Q4K | Format::Q4_1 | Format::Q5_1 => &[0, 2],
                _ => &[0],
            };
            for at in scales {
                let scale = f16::from_f32(self.next() as f32 / u32::MAX as f32 * 1e-2 - 2e-3);
                block[*at..at + 2].copy_from_slice(&scale.to_le_bytes());
            }
        }
        bytes
    }
}

const TWELVE_BITS: f64 = 2047.0;
const EIGHT_BITS: f64 = 127.0;

/// How far a format's integers for many rows may be off, of the largest weight of a block.
fn weight_step(format: Format) -> f64 {
    // Others are dequantized as they are multiplied.
    if matches!(format, Format::Q4_1 | Format::Q5_0 | Format::Q5_1) { 2.0 / 4095.0 } else { 0.0 }
}

/// The product in f64 with the weights as they are stored; how far it may be off by activations whose largest integer is `most`.
fn expected(w: &[f32], x: &[f32], most: f64) -> (f64, f64) {
    let exact: f64 = w.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
    let allowed: f64 = w
        .chunks(BLOCK)
        .zip(x.chunks(BLOCK))
        .map(|(w, x)| {
            let step = x.iter().fold(0f64, |m, v| m.max(f64::from(v.abs()))) / most;
            w.iter().map(|w| f64::from(w.abs())).sum::<f64>() * step * 0.51
        })
        .sum();
    (exact, allowed + 1e-5)
}

/// Sum over blocks of the largest weight that their scales and minimums allow times the sum of the activations: twice the
/// largest that is there, since codes need not reach the ends of their range.
fn extent(w: &[f32], x: &[f32]) -> f64 {
    let magnitudes = |values: &[f32]| values.iter().map(|v| f64::from(v.abs())).collect::<Vec<_>>();
    let blocks = w.chunks(BLOCK).zip(x.chunks(BLOCK));
    blocks
        .map(|(w, x)| 2.0 * magnitudes(w).into_iter().fold(0.0, f64::max) * magnitudes(x).iter().sum::<f64>())
        .sum()
}

#[test]
fn equals_f64_within_the_rounding_of_the_activations() {
    for format in FORMATS {
        for (inputs, outputs) in [(256, 1), (512, 65), (768, 200)] {
            for rows in [1, 4, 5, 40] {
                let most = if format.activation_bits() == Bits::EightWhereEven && rows > 4 {
                    EIGHT_BITS
                } else {
                    TWELVE_BITS
                };
                let mut random = Random(7 + rows as u32);
                let (bytes, x, b) = (
                    random.weights(format, inputs, outputs),
                    random.floats(rows * inputs),
                    random.floats(outputs),
                );
                let weight = QuantizedMatrix::new(format, &bytes, inputs, outputs).unwrap();
                let y = quantized_linear(&QuantizedLinear { weight, bias: Some(Values::F32(&b)) }, &x);
                assert_eq!(y.len(), rows * outputs);
                let mut w = vec![0.0; inputs];
                for o in 0..outputs {
                    weight.dequantize_row(o, &mut w);
                    for (r, x) in x.chunks(inputs).enumerate() {
                        let (exact, allowed) = expected(&w, x, most);
                        let allowed =
                            allowed + if rows > 4 { weight_step(format) * extent(&w, x) } else { 0.0 };
                        let got = f64::from(y[r * outputs + o]) - f64::from(b[o]);
                        assert!(
                            (got - exact).abs() <= allowed,
                            "{format:?} {rows} {inputs} {outputs}: {got} {exact}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_the_rows_beside_it() {
    let (inputs, outputs, rows) = (512, 130, 400);
    for format in FORMATS {
        let mut random = Random(3);
        let (bytes, mut x) = (random.weights(format, inputs, outputs), random.floats(rows * inputs));
        x.iter_mut().step_by(3 * inputs + 1).for_each(|v| *v = 20.0); // outliers, so that rows of 8 and 12 bits mix
        let layer = QuantizedLinear {
            weight: QuantizedMatrix::new(format, &bytes, inputs, outputs).unwrap(),
            bias: None,
        };
        for (count, others) in [(1, 4), (3, 4), (5, 400), (13, 400)] {
            let few = quantized_linear(&layer, &x[..count * inputs]);
            let all = quantized_linear(&layer, &x[..others * inputs]);
            assert_eq!(few, all[..count * outputs], "{format:?}");
        }
    }
}

#[test]
fn int8_rows_of_any_length_are_padded() {
    for inputs in [1, 127, 129, 430] {
        let mut random = Random(5);
        let (w, x) = (random.floats(inputs * 3), random.floats(inputs * 6));
        let mut bytes = Vec::new();
        w.chunks(inputs).for_each(|row| quantize_int8(row, &mut bytes));
        let weight = QuantizedMatrix::new(Format::Int8, &bytes, inputs, 3).unwrap();
        let y = quantized_linear(&QuantizedLinear { weight, bias: None }, &x);
        let mut stored = vec![0.0; inputs];
        for o in 0..3 {
            weight.dequantize_row(o, &mut stored);
            for (stored, w) in stored.iter().zip(&w[o * inputs..]) {
                assert!((stored - w).abs() <= 0.5 / 127.0 * 0.51);
            }
            for (r, x) in x.chunks(inputs).enumerate() {
                let (exact, allowed) = expected(&stored, x, EIGHT_BITS);
                assert!((f64::from(y[r * 3 + o]) - exact).abs() <= allowed);
            }
        }
    }
}

#[test]
fn a_block_with_an_outlier_keeps_twelve_bits() {
    let (inputs, outputs, rows) = (256, 3, 30);
    let mut random = Random(11);
    let (w, mut x) = (random.floats(inputs * outputs), random.floats(rows * inputs));
    x.iter_mut().step_by(BLOCK).for_each(|v| *v = 20.0);
    let mut bytes = Vec::new();
    w.chunks(inputs).for_each(|row| quantize_int8(row, &mut bytes));
    let weight = QuantizedMatrix::new(Format::Int8, &bytes, inputs, outputs).unwrap();
    let y = quantized_linear(&QuantizedLinear { weight, bias: None }, &x);
    let mut stored = vec![0.0; inputs];
    for o in 0..outputs {
        weight.dequantize_row(o, &mut stored);
        for (r, x) in x.chunks(inputs).enumerate() {
            let (exact, allowed) = expected(&stored, x, TWELVE_BITS);
            assert!((f64::from(y[r * outputs + o]) - exact).abs() <= allowed);
        }
    }
}

#[test]
fn what_is_no_number_stays_in_its_row() {
    let (inputs, outputs, rows) = (256, 20, 13);
    for format in FORMATS {
        let mut random = Random(17);
        let (bytes, x) = (random.weights(format, inputs, outputs), random.floats(rows * inputs));
        let weight = QuantizedMatrix::new(format, &bytes, inputs, outputs).unwrap();
        let layer = QuantizedLinear { weight, bias: None };
        let good = quantized_linear(&layer, &x);
        // The last is no number whose lowest bits would be the smallest of 16.
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::from_bits(0x7fc0_8000)] {
            let mut x = x.clone();
            x[3 * inputs + 7] = bad;
            let y = quantized_linear(&layer, &x);
            for (r, (y, good)) in y.chunks(outputs).zip(good.chunks(outputs)).enumerate() {
                assert!(
                    if r == 3 { y.iter().all(|v| v.is_nan()) } else { y == good },
                    "{format:?} {bad} {r}"
                );
            }
        }
    }
}

#[test]
fn an_outlier_costs_its_own_block_only() {
    let mut random = Random(9);
    let (w, mut x) = (random.floats(256), random.floats(256));
    x[200] = 1e4;
    let mut bytes = Vec::new();
    let masked: Vec<f32> = w.iter().enumerate().map(|(i, w)| if i < 128 { *w } else { 0.0 }).collect();
    quantize_int8(&masked, &mut bytes);
    let weight = QuantizedMatrix::new(Format::Int8, &bytes, 256, 1).unwrap();
    let y = quantized_linear(&QuantizedLinear { weight, bias: None }, &x);
    let exact: f32 = masked.iter().zip(&x).map(|(w, x)| w * x).sum();
    assert!((y[0] - exact).abs() < 0.02, "{} {exact}", y[0]);
}

/// By the published formulas, bit by bit: ggml's `d * q + m`, with q of 4 bits or 5.
#[test]
fn blocks_of_32_are_what_their_formulas_say() {
    for format in [Format::Q4_1, Format::Q5_0, Format::Q5_1] {
        let bytes = Random(23).weights(format, 96, 40);
        let matrix = QuantizedMatrix::new(format, &bytes, 96, 40).unwrap();
        let mut row = vec![0.0; 96];
        for (o, stored) in bytes.chunks(format.row_bytes(96)).enumerate() {
            matrix.dequantize_row(o, &mut row);
            for (block, weights) in stored.chunks(format.block().1).zip(row.chunks(32)) {
                let half = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
                let (codes, fifth_at) = (&block[block.len() - 16..], block.len() - 20);
                for (j, weight) in weights.iter().enumerate() {
                    let nibble = if j < 16 { codes[j] & 15 } else { codes[j - 16] >> 4 };
                    let fifth = (block[fifth_at + j / 8] >> (j % 8) & 1) << 4;
                    let expected = match format {
                        Format::Q4_1 => half(0) * f32::from(nibble) + half(2),
                        Format::Q5_0 => half(0) * (f32::from(nibble | fifth) - 16.0),
                        _ => half(0) * f32::from(nibble | fifth) + half(2),
                    };
                    assert_eq!(*weight, expected, "{format:?} {o} {j}");
                }
            }
        }
    }
}

/// Rows that end within a block of 128, zeros, and minimums far larger than the scales.
#[test]
fn blocks_of_32_at_their_edges() {
    for format in [Format::Q4_1, Format::Q5_0, Format::Q5_1] {
        for inputs in [32, 96, 160] {
            let mut random = Random(29);
            let mut bytes = random.weights(format, inputs, 3);
            let row_bytes = format.row_bytes(inputs);
            bytes[..row_bytes].fill(0);
            if format != Format::Q5_0 {
                let large = f16::from_f32(-8.0).to_le_bytes();
                bytes[2 * row_bytes..]
                    .chunks_mut(format.block().1)
                    .for_each(|b| b[2..4].copy_from_slice(&large));
            }
            let weight = QuantizedMatrix::new(format, &bytes, inputs, 3).unwrap();
            for rows in [1, 9] {
                let x = random.floats(rows * inputs);
                let y = quantized_linear(&QuantizedLinear { weight, bias: None }, &x);
                let mut w = vec![0.0; inputs];
                for (r, x) in x.chunks(inputs).enumerate() {
                    assert_eq!(y[r * 3], 0.0, "{format:?}");
                    for o in 1..3 {
                        weight.dequantize_row(o, &mut w);
                        let (exact, allowed) = expected(&w, x, TWELVE_BITS);
                        let allowed = allowed + weight_step(format) * extent(&w, x);
                        assert!(
                            (f64::from(y[r * 3 + o]) - exact).abs() <= allowed,
                            "{format:?} {inputs} {rows}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_scale_or_minimum_that_is_no_number_is_seen() {
    for format in [Format::Q4_1, Format::Q5_0, Format::Q5_1] {
        for at in if format == Format::Q5_0 { &[0][..] } else { &[0, 2] } {
            for bad in [f16::NAN, f16::INFINITY, f16::NEG_INFINITY] {
                let mut random = Random(31);
                let mut bytes = random.weights(format, 128, 1);
                bytes[format.block().1 + at..][..2].copy_from_slice(&bad.to_le_bytes());
                let weight = QuantizedMatrix::new(format, &bytes, 128, 1).unwrap();
                for rows in [1, 5] {
                    let y =
                        quantized_linear(&QuantizedLinear { weight, bias: None }, &random.floats(rows * 128));
                    assert!(y.iter().all(|v| !v.is_finite()), "{format:?} {at} {bad} {rows}");
                }
            }
        }
    }
}

#[test]
fn wrong_shapes_are_no_matrix() {
    for format in [Format::Q4_1, Format::Q5_0, Format::Q5_1] {
        let bytes = vec![0; format.block().1];
        assert!(QuantizedMatrix::new(format, &bytes, 32, 1).is_some());
        assert!(QuantizedMatrix::new(format, &bytes[1..], 32, 1).is_none(), "a truncated block");
        assert!(QuantizedMatrix::new(format, &bytes, 33, 1).is_none(), "rows that 32 does not divide");
        assert!(QuantizedMatrix::new(format, &bytes, 16, 1).is_none(), "rows that 32 does not divide");
        assert!(QuantizedMatrix::new(format, &bytes, 32, usize::MAX).is_none(), "more rows than bytes");
    }
    assert!(QuantizedMatrix::new(Format::Q4K, &[0; 144], 128, 2).is_none());
    assert!(QuantizedMatrix::new(Format::Q8_0, &[0; 33], 32, 1).is_none());
    assert!(QuantizedMatrix::new(Format::Int8, &[0; 132], 100, 1).is_some());
}

#[test]
fn zeros_and_empty_batches_are_fine() {
    let bytes = vec![0; Format::Int8.row_bytes(200) * 2];
    let layer =
        QuantizedLinear { weight: QuantizedMatrix::new(Format::Int8, &bytes, 200, 2).unwrap(), bias: None };
    assert_eq!(quantized_linear(&layer, &[0.0; 400]), [0.0; 4]);
    assert!(quantized_linear(&layer, &[]).is_empty());
}
