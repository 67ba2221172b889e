//! Small pictures of frames, for people.

use crate::decode::{DecodeSettings, Frame, open_frames};
use crate::error::{Result, VideoError};
use crate::probe::VideoInfo;
use crate::sample::{FrameBudget, SampleSettings, sample};
use crate::time::MediaTime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;

/// JPEG quality, of 100.
const QUALITY: u8 = 80;

/// A frame as a small JPEG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// Index of the frame in the video.
    pub index: usize,
    /// Its presentation time.
    pub time: MediaTime,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// The file.
    pub jpeg: Vec<u8>,
}

impl Thumbnail {
    /// As an address that holds the picture itself.
    pub fn data_url(&self) -> String {
        format!("data:image/jpeg;base64,{}", STANDARD.encode(&self.jpeg))
    }
}

/// The frames of `indices`, each once and in their order in the video, at most `max_width` pixels wide. They are decoded
/// anew, by seeking where that is shorter.
///
/// # Errors
/// What decoding says.
pub fn thumbnails(
    video: &VideoInfo,
    indices: &[usize],
    max_width: u32,
    settings: &DecodeSettings,
) -> Result<Vec<Thumbnail>> {
    let mut indices = indices.to_vec();
    indices.sort_unstable();
    indices.dedup();
    if indices.is_empty() {
        return Ok(Vec::new());
    }
    let plan = sample(
        video,
        &SampleSettings { budget: FrameBudget::Indices(indices.into()), ..Default::default() },
    )?;
    open_frames(video, &plan, settings)?.map(|frame| thumbnail(frame?, max_width)).collect()
}

fn thumbnail(frame: Frame, max_width: u32) -> Result<Thumbnail> {
    let unreadable =
        |detail: String| VideoError::BadImage { path: format!("frame {}", frame.index).into(), detail };
    let width = frame.width.min(max_width).max(1);
    let height = (u64::from(frame.height) * u64::from(width) / u64::from(frame.width.max(1))).max(1) as u32;
    let (index, time) = (frame.index, frame.time);
    let picture = RgbImage::from_raw(frame.width, frame.height, frame.rgb.to_vec())
        .ok_or_else(|| unreadable("its size is not its bytes".into()))?;
    let small = image::imageops::thumbnail(&picture, width, height);
    let mut jpeg = Vec::new();
    small
        .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY))
        .map_err(|e| unreadable(e.to_string()))?;
    Ok(Thumbnail { index, time, width, height, jpeg })
}
