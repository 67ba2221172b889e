//! Frames a second, exactly.

use crate::{Result, WorldError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A constant frame rate as a fraction, such as 10 or 30000/1001.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FrameRate {
    frames: u32,
    secs: u32,
}

impl FrameRate {
    /// `frames` every `secs` seconds; a zero counts as one.
    pub const fn new(frames: u32, secs: u32) -> Self {
        Self { frames: if frames == 0 { 1 } else { frames }, secs: if secs == 0 { 1 } else { secs } }
    }

    /// Frames a second.
    pub fn fps(self) -> f64 {
        f64::from(self.frames) / f64::from(self.secs)
    }

    /// When a frame is shown, in seconds.
    pub fn time_secs(self, frame: u64) -> f64 {
        frame as f64 * f64::from(self.secs) / f64::from(self.frames)
    }

    /// Whole frames in so many seconds, to the nearest.
    pub fn frames_in(self, secs: f64) -> u64 {
        (secs * self.fps()).round().max(0.0) as u64
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.secs {
            1 => write!(f, "{}", self.frames),
            secs => write!(f, "{}/{secs}", self.frames),
        }
    }
}

impl FromStr for FrameRate {
    type Err = WorldError;

    fn from_str(text: &str) -> Result<Self> {
        let (frames, secs) = text.split_once('/').unwrap_or((text, "1"));
        match (frames.parse::<u32>(), secs.parse::<u32>()) {
            (Ok(frames), Ok(secs)) if frames > 0 && secs > 0 && (1..=120).contains(&(frames / secs)) => {
                Ok(Self { frames, secs })
            }
            _ => Err(WorldError::setting(format!(
                "frame rate {text:?}: must be 1 to 120 frames a second, written as 10 or 30000/1001"
            ))),
        }
    }
}

impl From<FrameRate> for String {
    fn from(rate: FrameRate) -> Self {
        rate.to_string()
    }
}

impl TryFrom<String> for FrameRate {
    type Error = WorldError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}
