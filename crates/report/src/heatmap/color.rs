//! The colours of a score from 0 to 1.

/// Red, green and blue.
pub(super) type Rgb = [u8; 3];

pub(super) const WHITE: Rgb = [255, 255, 255];
pub(super) const INK: Rgb = [28, 33, 38];
/// A cell without a score.
pub(super) const EMPTY: Rgb = [226, 229, 232];

/// Lightness, green-red and blue-yellow of the ramp's ends: dark blue and light yellow.
const LOW: [f64; 3] = [0.30, -0.015, -0.11];
const HIGH: [f64; 3] = [0.93, -0.04, 0.15];

/// The colour of a score: a straight line in OKLab, so equal steps of the score look equal. Lightness alone tells the
/// scores apart, and blue to yellow is the axis that the common colour blindnesses leave.
pub(super) fn ramp(score: f64) -> Rgb {
    let score = if score.is_finite() { score.clamp(0.0, 1.0) } else { 0.0 };
    let mix = |index: usize| LOW[index] + score * (HIGH[index] - LOW[index]);
    oklab_to_srgb([mix(0), mix(1), mix(2)])
}

/// Black or white, whichever reads better on `background`.
pub(super) fn ink_on(background: Rgb) -> Rgb {
    // WCAG 2: contrast with white is 1.05 / (L + 0.05), with this ink (L = 0.015) about (L + 0.05) / 0.065.
    if relative_luminance(background) > 0.21 { INK } else { WHITE }
}

/// `#rrggbb`.
pub(super) fn hex([red, green, blue]: Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Björn Ottosson, "A perceptual color space for image processing", 2020.
fn oklab_to_srgb([lightness, a, b]: [f64; 3]) -> Rgb {
    let long = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let medium = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let short = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701_0 * short,
    ]
    .map(encode)
}

/// IEC 61966-2-1: linear light to a byte.
fn encode(linear: f64) -> u8 {
    let value = if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (value * 255.0).round().clamp(0.0, 255.0) as u8
}

/// WCAG 2.
fn relative_luminance(color: Rgb) -> f64 {
    let linear = color.map(|byte| {
        let value = f64::from(byte) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}
