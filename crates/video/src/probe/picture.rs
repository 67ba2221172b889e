//! How a stream stores its pictures, and what turns them upright.

use super::orientation::Orientation;

/// A stored picture, before it is turned.
#[derive(Clone, Debug)]
pub(crate) struct StoredPicture {
    /// Pixels a row.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// As ffprobe names it.
    pub(crate) pixel_format: Option<String>,
    /// `tv` or `pc`, as ffprobe names it.
    pub(crate) range: Option<String>,
    /// Where chroma lies among luma, as ffprobe names it.
    pub(crate) chroma_location: Option<String>,
    /// Whether frames hold two fields.
    pub(crate) is_interlaced: bool,
    /// What turns it upright.
    pub(crate) orientation: Orientation,
}

impl StoredPicture {
    /// Column and row of the first chroma sample, in 256ths of a luma pixel; None where it lies between two, as swscale
    /// takes it without being told.
    pub(crate) fn chroma_position(&self) -> (Option<u16>, Option<u16>) {
        let location = self.chroma_location.as_deref().unwrap_or_default();
        let format = self.pixel_format.as_deref().unwrap_or_default();
        let has_half_rows = is_420(format);
        let has_half_columns = has_half_rows || format.contains("422");
        let column = matches!(location, "left" | "topleft" | "bottomleft").then_some(0);
        let row = match location {
            "topleft" | "top" => Some(0),
            "bottomleft" | "bottom" => Some(256),
            _ => None,
        };
        (column.filter(|_| has_half_columns), row.filter(|_| has_half_rows))
    }

    /// Whether swscale makes rows of chroma between those that are stored. It has its own, nearest, way for planes of 8 bits
    /// with an even number of rows.
    pub(crate) fn interpolates_chroma_rows(&self) -> bool {
        let format = self.pixel_format.as_deref().unwrap_or_default();
        let rows = if self.is_interlaced { self.height / 2 } else { self.height };
        let is_nearest = matches!(format, "yuv420p" | "yuvj420p" | "yuva420p") && rows.is_multiple_of(2);
        is_420(format) && !is_nearest
    }
}

/// Chroma of half the width and height.
fn is_420(format: &str) -> bool {
    format.contains("420")
        || ["nv12", "nv21", "p010", "p012", "p016"].iter().any(|name| format.starts_with(name))
}
