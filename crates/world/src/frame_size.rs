//! Pixels of a frame.

use crate::{Result, WorldError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Width and height in pixels: even (4:2:0 video), 64 to 1920. Written as 320x180.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FrameSize {
    width: u32,
    height: u32,
}

impl FrameSize {
    /// The size, if it can be coded.
    ///
    /// # Errors
    /// An odd, too small or too large side.
    pub fn new(width: u32, height: u32) -> Result<Self> {
        let fits = |side: u32| (64..=1920).contains(&side) && side.is_multiple_of(2);
        if fits(width) && fits(height) {
            return Ok(Self { width, height });
        }
        Err(WorldError::setting(format!(
            "frame size {width}x{height}: both sides must be even (4:2:0 video) and 64 to 1920 pixels"
        )))
    }

    /// Pixels.
    pub fn width(self) -> u32 {
        self.width
    }

    /// Pixels.
    pub fn height(self) -> u32 {
        self.height
    }
}

impl Default for FrameSize {
    /// 320x180.
    fn default() -> Self {
        Self { width: 320, height: 180 }
    }
}

impl fmt::Display for FrameSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for FrameSize {
    type Err = WorldError;

    fn from_str(text: &str) -> Result<Self> {
        let sides = text
            .split_once('x')
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        match sides {
            Some((width, height)) => Self::new(width, height),
            None => Err(WorldError::setting(format!("frame size {text:?}: write it as 320x180"))),
        }
    }
}

impl From<FrameSize> for String {
    fn from(size: FrameSize) -> Self {
        size.to_string()
    }
}

impl TryFrom<String> for FrameSize {
    type Error = WorldError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}
