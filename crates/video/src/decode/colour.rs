//! How a decoded picture becomes RGB: a part of what a frame's bytes depend on.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::probe::StoredPicture;

/// Which conversion from a video's own pixel format to 8-bit RGB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Byte for byte what PyAV's `frame.to_ndarray(format="rgb24")` gives: swscale with `bilinear` and no other flag. Models
    /// were trained, and benchmarks are run, with such decoders (decord and torchcodec agree on 8-bit 4:2:0). A column of
    /// subsampled chroma stands for two of luma; rows are interpolated, but not in 8-bit 4:2:0.
    #[default]
    Reference,
    /// As exact as swscale can: chroma interpolated at full resolution, every rounding exact.
    Accurate,
}

/// What keeps interpolated rows of chroma from a first pass: enough bits that the mean of two is exact.
const CHROMA_ROWS: &str = "yuv422p16";

impl Colour {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Reference, Self::Accurate];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Accurate => "accurate",
        }
    }

    /// Flags of ffmpeg's scaler, which converts.
    pub const fn scaler_flags(self) -> &'static str {
        match self {
            Self::Reference => "bilinear",
            Self::Accurate => "bicubic+accurate_rnd+full_chroma_int+bitexact",
        }
    }

    /// ffmpeg's filters from decoded pictures to RGB of `picture`'s size, whatever size a stream changes to.
    ///
    /// `Reference` says what PyAV's scaler reads from each frame and ffmpeg's filter does not: where chroma lies, and that the
    /// fields of an interlaced frame are converted apart. A swscale without `exact_chroma_rows` takes the nearest row of
    /// chroma, or the mean of two, where later ones interpolate; it does interpolate into a format with all rows. Two passes
    /// give the same bytes, or, where a side is odd, a few values next to them.
    pub(super) fn filters(self, picture: &StoredPicture, exact_chroma_rows: bool) -> String {
        let size = format!("scale=w={}:h={}:flags={}", picture.width, picture.height, self.scaler_flags());
        if self == Self::Accurate {
            return format!("{size},format=rgb24");
        }
        let (column, row) = picture.chroma_position();
        let at = |name: &str, place: Option<u16>| {
            place.map_or(String::new(), |at| format!(":{name}_chr_pos={at}"))
        };
        let (from_column, from_row, to_column) = (at("in_h", column), at("in_v", row), at("out_h", column));
        let first = format!("{size}:interl=-1{from_column}{from_row}");
        if exact_chroma_rows || !picture.interpolates_chroma_rows() {
            return format!("{first},format=rgb24");
        }
        let range = picture.range.as_ref().map_or(String::new(), |range| format!(":out_range={range}"));
        format!("{first}{to_column}{range},format={CHROMA_ROWS},{size}{from_column},format=rgb24")
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Colour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|colour| colour.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is not a conversion of colours; write reference or accurate"))
    }
}

impl Serialize for Colour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
