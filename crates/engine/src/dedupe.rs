//! Near-duplicate frames: which frames re-use the features of a frame before them.
//!
//! They are told apart before the tower: the resizing thread keeps the last frame that is to be encoded and lets those within
//! the distance pass without pixels; the encoder keeps that frame's features, unpooled, since the frames that take them may be
//! fine or coarse. A row of a product does not depend on the rows next to it, so `exact` is bit-equal to `off`; on other
//! devices than the CPU only as far as their matrix products are.

use crate::EngineError;
use crate::settings::Setting;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// When a frame re-uses the vision tower's features of the last frame that was really encoded. Compared are the RGB bytes
/// of both frames in the tower's size. The comparison is never with a frame that was itself re-used, so that slow
/// changes do not add up unseen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Dedupe {
    /// Never: every frame is encoded.
    Off,
    /// Where all bytes are equal. Answers are the same as with [`Self::Off`], bit for bit.
    #[default]
    Exact,
    /// Where the mean over all channel values of their absolute difference, in units of 0..255, is at most this.
    Within(f64),
}

impl Dedupe {
    /// Whether `frame` may take the features of `encoded`; both are RGB bytes of one size.
    fn same(self, encoded: &[u8], frame: &[u8]) -> bool {
        match self {
            Self::Off => false,
            Self::Exact => encoded == frame,
            Self::Within(distance) => mean_difference(encoded, frame) <= distance,
        }
    }
}

/// Mean absolute difference of bytes; infinite between slices of different lengths.
fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    // A block's sum fits u32, which the compiler adds in vectors.
    let block = |(a, b): (&[u8], &[u8])| a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
    let total: u64 = a.chunks(1 << 16).zip(b.chunks(1 << 16)).map(|pair| u64::from(block(pair))).sum();
    total as f64 / a.len().max(1) as f64
}

/// Keeps one frame: the last that is to be encoded.
pub(crate) struct Deduper {
    setting: Dedupe,
    encoded: Option<Arc<Vec<u8>>>,
}

impl Deduper {
    pub(crate) fn new(setting: Dedupe) -> Self {
        Self { setting, encoded: None }
    }

    /// The frame to encode; None where it is near enough to the last one that was returned.
    pub(crate) fn keep(&mut self, rgb: Vec<u8>) -> Option<Arc<Vec<u8>>> {
        if self.encoded.as_ref().is_some_and(|encoded| self.setting.same(encoded, &rgb)) {
            return None;
        }
        let rgb = Arc::new(rgb);
        self.encoded = (self.setting != Dedupe::Off).then(|| Arc::clone(&rgb));
        Some(rgb)
    }
}

impl fmt::Display for Dedupe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Exact => f.write_str("exact"),
            Self::Within(distance) => write!(f, "{distance}"),
        }
    }
}

impl FromStr for Dedupe {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        match text {
            "off" => return Ok(Self::Off),
            "exact" => return Ok(Self::Exact),
            _ => (),
        }
        let distance = text.parse().ok().filter(|distance| (0.0..=255.0).contains(distance));
        distance.map(Self::Within).ok_or_else(|| {
            let accepted =
                "off, exact, or a number from 0 to 255 (the mean absolute difference of channel values)";
            EngineError::setting(Setting::Dedupe, accepted.into())
        })
    }
}

impl Serialize for Dedupe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(setting: &str, frames: &[u8]) -> Vec<bool> {
        let mut deduper = Deduper::new(setting.parse().unwrap());
        frames.iter().map(|level| deduper.keep(vec![*level; 300_000]).is_some()).collect()
    }

    #[test]
    fn a_slow_drift_is_compared_with_the_frame_that_was_encoded() {
        let drift = [10, 11, 12, 13, 14, 15];
        assert_eq!(kept("2", &drift), [true, false, false, true, false, false]);
        assert_eq!(kept("1.99", &drift), [true, false, true, false, true, false]);
        assert_eq!(kept("0.5", &drift), [true; 6]);
        assert_eq!(kept("255", &[0, 255, 0]), [true, false, false]);
    }

    #[test]
    fn exact_means_every_byte() {
        assert_eq!(kept("exact", &[7, 7, 8, 8, 7]), [true, false, true, false, true]);
        assert_eq!(kept("0", &[7, 7, 8, 8, 7]), [true, false, true, false, true]);
        assert_eq!(kept("off", &[7, 7, 8, 8, 7]), [true; 5]);
        let mut deduper = Deduper::new(Dedupe::Exact);
        let mut frame = vec![7; 3000];
        assert!(deduper.keep(frame.clone()).is_some());
        frame[2999] = 8;
        assert!(deduper.keep(frame).is_some());
    }

    #[test]
    fn the_distance_is_a_mean_over_all_channel_values() {
        let (mut a, b) = (vec![0u8; 100_000], vec![0u8; 100_000]);
        a[99_999] = 200;
        a[0] = 50;
        assert_eq!(mean_difference(&a, &b), 250.0 / 100_000.0);
        assert_eq!(mean_difference(&b, &a), 250.0 / 100_000.0);
    }

    #[test]
    fn settings_are_read_as_they_are_written() {
        for text in ["off", "exact", "0", "1.5", "255"] {
            assert_eq!(text.parse::<Dedupe>().unwrap().to_string(), text);
        }
        for text in ["", "on", "-1", "256", "nan", "inf", "1,5", "Exact"] {
            assert!(text.parse::<Dedupe>().unwrap_err().to_string().contains("0 to 255"), "{text}");
        }
    }
}
