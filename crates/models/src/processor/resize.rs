//! Resizing of RGB frames: bicubic, byte for byte what `Image.resize(size, BICUBIC)` of Pillow up to 12 gives, and Lanczos,
//! within a level of torchvision's `resize` of bytes with antialiasing.
//!
//! Two passes with a rounded u8 image between them, the horizontal one first whatever the shape: checkpoints were trained
//! with Pillow up to 12 and with processors that do so. (Pillow 13 begins with the vertical one for tall frames, which
//! moves values by up to 5 levels.) Weights are 22-bit fixed point. Sums are exact whole numbers held as f64, so the order
//! of additions is free and both passes vectorise: the horizontal one over a pixel's channels, the vertical one along rows.

use rayon::prelude::*;
use std::f64::consts::PI;

/// Fixed-point bits of a weight: 32 less 8 of a pixel less 2 for overshoot, as in Pillow.
const PRECISION_BITS: u32 = 32 - 8 - 2;
const CHANNELS: usize = 3;
/// A pixel is padded to whole vectors while rows are filtered.
const LANES: usize = 4;
/// Longest accepted side, far above any video, so that a hostile size cannot ask for gigabytes of weights.
const MAX_SIDE: usize = 1 << 16;

/// Why an image cannot be resized.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResizeError {
    /// A side of 0, or one beyond any video.
    #[error(
        "cannot resize {width_in}x{height_in} to {width_out}x{height_out}: sides must be from 1 to {MAX_SIDE}"
    )]
    Size {
        /// Pixels a row of the source.
        width_in: usize,
        /// Rows of the source.
        height_in: usize,
        /// Pixels a row of the result.
        width_out: usize,
        /// Rows of the result.
        height_out: usize,
    },
    /// A buffer that does not hold the image.
    #[error("a {width}x{height} RGB image has {expected} bytes, but {given} were given")]
    Bytes {
        /// Pixels a row.
        width: usize,
        /// Rows.
        height: usize,
        /// width * height * 3.
        expected: usize,
        /// Length of the buffer.
        given: usize,
    },
}

/// The kernel that an output's inputs are weighted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Cubic convolution with a = -1/2.
    Bicubic,
    /// Windowed sinc of three lobes.
    Lanczos,
}

impl Filter {
    /// Half the support, in inputs, before antialiasing widens it.
    fn support(self) -> f64 {
        match self {
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Bicubic => cubic(x),
            Self::Lanczos => lanczos(x),
        }
    }
}

/// Resizes one row-major RGB image of `(width, height)` pixels; for many of one size, keep a [`Resizer`].
///
/// # Errors
/// If a side is 0 or above 65,536, or `src` is not width * height * 3 bytes.
pub fn resize_rgb(
    src: &[u8],
    from: (usize, usize),
    to: (usize, usize),
    filter: Filter,
) -> Result<Vec<u8>, ResizeError> {
    Resizer::new(from, to, filter)?.resize_rgb(src)
}

/// Weights of both axes for one pair of sizes, reusable for every frame of a video and from any thread.
#[derive(Debug, Clone)]
pub struct Resizer {
    width_in: usize,
    height_in: usize,
    horizontal: Axis,
    vertical: Axis,
}

impl Resizer {
    /// Computes the weights from `(width, height)` pixels to others.
    ///
    /// # Errors
    /// If a side is 0 or above 65,536.
    pub fn new(
        (width_in, height_in): (usize, usize),
        (width_out, height_out): (usize, usize),
        filter: Filter,
    ) -> Result<Resizer, ResizeError> {
        if [width_in, height_in, width_out, height_out].iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
            return Err(ResizeError::Size { width_in, height_in, width_out, height_out });
        }
        let horizontal = Axis::new(width_in, width_out, filter);
        let vertical = Axis::new(height_in, height_out, filter);
        Ok(Resizer { width_in, height_in, horizontal, vertical })
    }

    /// Resizes a row-major RGB image of width_in * height_in * 3 bytes to width_out * height_out * 3 bytes.
    ///
    /// # Errors
    /// If `src` has another length.
    pub fn resize_rgb(&self, src: &[u8]) -> Result<Vec<u8>, ResizeError> {
        let (width, height) = (self.width_in, self.height_in);
        let expected = width * height * CHANNELS;
        if src.len() != expected {
            return Err(ResizeError::Bytes { width, height, expected, given: src.len() });
        }
        // On an axis of equal sizes the weights are 1 and 0: the pass would copy.
        let (rows, columns) = (!self.horizontal.is_identity(), !self.vertical.is_identity());
        Ok(match (rows, columns) {
            (false, false) => src.to_vec(),
            (true, false) => resize_rows(src, &self.horizontal),
            (false, true) => resize_columns(src, &self.vertical),
            // Rounding between the passes makes their order visible.
            (true, true) => resize_columns(&resize_rows(src, &self.horizontal), &self.vertical),
        })
    }
}

/// Any number of rows, each from `axis.inputs` to `axis.outputs()` pixels.
fn resize_rows(src: &[u8], axis: &Axis) -> Vec<u8> {
    let row_in = axis.inputs * CHANNELS;
    let row_out = axis.outputs() * CHANNELS;
    let mut out = vec![0; src.len() / row_in * row_out];
    let rows = out.par_chunks_mut(row_out).zip(src.par_chunks(row_in));
    rows.for_each_init(
        || vec![[0.0; LANES]; axis.inputs],
        |pixels, (row_out, row_in)| {
            for (pixel, bytes) in pixels.iter_mut().zip(row_in.as_chunks::<CHANNELS>().0) {
                let [red, green, blue] = bytes.map(f64::from);
                *pixel = [red, green, blue, 0.0];
            }
            filter_row(pixels, axis, row_out.as_chunks_mut::<CHANNELS>().0);
        },
    );
    out
}

/// Products and sums are whole numbers below 2^53, so f64, which every CPU multiplies in vectors, is exact.
fn filter_row(pixels: &[[f64; LANES]], axis: &Axis, row_out: &mut [[u8; CHANNELS]]) {
    for (taps, bytes) in axis.taps.iter().zip(row_out) {
        let mut sums = [0.0; LANES];
        for (pixel, weight) in pixels[taps.first..].iter().zip(&axis.weights[taps.weights.clone()]) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += weight * value;
            }
        }
        let [red, green, blue, _] = sums.map(round_to_u8);
        *bytes = [red, green, blue];
    }
}

/// `axis.inputs` rows of any length to `axis.outputs()` rows.
fn resize_columns(src: &[u8], axis: &Axis) -> Vec<u8> {
    let row_bytes = src.len() / axis.inputs;
    let mut out = vec![0; axis.outputs() * row_bytes];
    let rows = out.par_chunks_mut(row_bytes).zip(&axis.taps);
    rows.for_each_init(
        || vec![0.0; row_bytes],
        |sums, (row_out, taps)| {
            sums.fill(0.0);
            let rows_in = src[taps.first * row_bytes..].chunks_exact(row_bytes);
            for (row, weight) in rows_in.zip(&axis.weights[taps.weights.clone()]) {
                for (sum, byte) in sums.iter_mut().zip(row) {
                    *sum += weight * f64::from(*byte);
                }
            }
            for (byte, sum) in row_out.iter_mut().zip(sums.iter()) {
                *byte = round_to_u8(*sum);
            }
        },
    );
    out
}

/// The fixed-point weights of one axis, whole numbers held as f64.
#[derive(Debug, Clone)]
struct Axis {
    inputs: usize,
    taps: Vec<Taps>,
    weights: Vec<f64>,
}

/// The inputs of one output: consecutive from `first`, one for each weight in the range.
#[derive(Debug, Clone)]
struct Taps {
    first: usize,
    weights: std::ops::Range<usize>,
}

impl Axis {
    fn new(inputs: usize, outputs: usize, filter: Filter) -> Axis {
        let scale = inputs as f64 / outputs as f64;
        let widening = scale.max(1.0);
        let support = filter.support() * widening;
        let mut axis = Axis { inputs, taps: Vec::with_capacity(outputs), weights: Vec::new() };
        let mut exact = Vec::new();
        for output in 0..outputs {
            let centre = (output as f64 + 0.5) * scale;
            // Casts truncate towards zero and take negative numbers to 0.
            let first = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(inputs);
            exact.clear();
            exact.extend((first..end).map(|input| filter.weight((input as f64 - centre + 0.5) / widening)));
            let sum: f64 = exact.iter().sum();
            let start = axis.weights.len();
            axis.weights.extend(exact.iter().map(|weight| to_fixed_point(weight / sum)));
            axis.taps.push(Taps { first, weights: start..axis.weights.len() });
        }
        axis
    }

    fn outputs(&self) -> usize {
        self.taps.len()
    }

    fn is_identity(&self) -> bool {
        self.inputs == self.outputs()
    }
}

/// Keys' cubic convolution kernel with a = -1/2, in Pillow's order of operations.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// sinc(x) sinc(x / 3) within three lobes.
fn lanczos(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) };
    if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

/// Halves away from zero.
fn to_fixed_point(weight: f64) -> f64 {
    (weight * f64::from(1_u32 << PRECISION_BITS)).round()
}

/// `sum` is a whole number within i32, as Pillow's accumulators are.
fn round_to_u8(sum: f64) -> u8 {
    // Adding 1.5 * 2^52 leaves a whole number's two's complement in the low bits: an exact cast that vectorises.
    const TO_LOW_BITS: f64 = 6_755_399_441_055_744.0;
    let sum = (sum + TO_LOW_BITS).to_bits() as i32;
    ((sum + (1 << (PRECISION_BITS - 1))) >> PRECISION_BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    const GOLDEN: &str = include_str!("../../tests/data/resize_bicubic.json");

    fn pattern(width: usize, height: usize) -> Vec<u8> {
        let value = |y: usize, x: usize, c: usize| {
            ((31 * y + 17 * x + 5 * x * y + 61 * c) % 251 + 4 * ((x / 3 + y / 4) % 2)) as u8
        };
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        pixels.flat_map(|(y, x)| [0, 1, 2].map(|c| value(y, x, c))).collect()
    }

    fn bicubic(src: &[u8], from: (usize, usize), to: (usize, usize)) -> Result<Vec<u8>, ResizeError> {
        resize_rgb(src, from, to, Filter::Bicubic)
    }

    fn pixel(image: &[u8], width: usize, y: usize, x: usize) -> serde_json::Value {
        serde_json::json!(&image[(y * width + x) * CHANNELS..][..CHANNELS])
    }

    fn sha256(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn bytes_equal_pillow_in_every_golden_case() {
        let json: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
        let cases = json["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 6);
        for case in cases {
            let [width_in, height_in, width, height] = ["width_in", "height_in", "width_out", "height_out"]
                .map(|key| case[key].as_u64().unwrap() as usize);
            let out = bicubic(&pattern(width_in, height_in), (width_in, height_in), (width, height)).unwrap();
            assert_eq!(out.len(), width * height * CHANNELS);
            let shown = case.get("rgb").or(case.get("corner_rgb_4x4")).unwrap().as_array().unwrap();
            for (y, row) in shown.iter().enumerate() {
                for (x, expected) in row.as_array().unwrap().iter().enumerate() {
                    assert_eq!(pixel(&out, width, y, x), *expected, "{width_in}x{height_in}, y {y}, x {x}");
                }
            }
            assert_eq!(case["sha256_rgb"], sha256(&out), "{width_in}x{height_in} to {width}x{height}");
        }
    }

    /// Hashes from Pillow 12.3: `resize((38, 38))` equals `resize((38, 192)).resize((38, 38))` there; Pillow 13.0 differs.
    #[test]
    fn the_horizontal_pass_comes_first_for_a_portrait_image_too() {
        let out = bicubic(&pattern(108, 192), (108, 192), (38, 38)).unwrap();
        assert_eq!(sha256(&out), "12cc4c10550117a36ce88e0b27ffd1ef5538b8c75615cbb284f18e2df7ec01a0");
        let out = bicubic(&pattern(270, 480), (270, 480), (384, 384)).unwrap();
        assert_eq!(sha256(&out), "df1969e2c53f606e73a313b71f96ef6f1be90564c77f72a10e6e2297ed1554f7");
    }

    #[test]
    fn one_flat_colour_stays_flat_at_any_size() {
        for (width_in, height_in, width, height) in
            [(1, 1, 384, 384), (1, 500, 7, 3), (500, 1, 3, 7), (65_536, 1, 1, 2)]
        {
            let src = [0, 128, 255].repeat(width_in * height_in);
            let out = bicubic(&src, (width_in, height_in), (width, height)).unwrap();
            assert_eq!(out, [0, 128, 255].repeat(width * height));
        }
    }

    #[test]
    fn overshoot_is_clamped_to_black_and_white() {
        let edge: Vec<u8> = [0, 0, 0, 255, 255, 255].iter().flat_map(|v| [*v; CHANNELS]).collect();
        let out = bicubic(&edge, (6, 1), (24, 1)).unwrap();
        assert!(out.chunks(CHANNELS).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
        let red: Vec<u8> = out.iter().step_by(CHANNELS).copied().collect();
        assert_eq!((red[8], red[15]), (0, 255));
        assert!(red.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn one_resizer_serves_many_frames() {
        let resizer = Resizer::new((50, 37), (24, 24), Filter::Bicubic).unwrap();
        let frame = pattern(50, 37);
        let first = resizer.resize_rgb(&frame).unwrap();
        resizer.resize_rgb(&vec![255; frame.len()]).unwrap();
        assert_eq!(resizer.resize_rgb(&frame).unwrap(), first);
    }

    #[test]
    fn hostile_sizes_and_short_buffers_are_errors() {
        for (width_in, height_in, width, height) in [
            (0, 1, 1, 1),
            (1, 0, 1, 1),
            (1, 1, 0, 1),
            (1, 1, 1, 0),
            (usize::MAX, 2, 1, 1),
            (1, 1, 1, usize::MAX),
        ] {
            let error = bicubic(&[0; 3], (width_in, height_in), (width, height)).unwrap_err();
            assert_eq!(
                error,
                ResizeError::Size { width_in, height_in, width_out: width, height_out: height }
            );
        }
        for given in [0, 11, 13] {
            let error = bicubic(&vec![0; given], (2, 2), (1, 1)).unwrap_err();
            assert_eq!(error, ResizeError::Bytes { width: 2, height: 2, expected: 12, given });
        }
    }
}
