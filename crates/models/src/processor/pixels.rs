//! RGB frames to the tower's input.

use super::resize::{Filter, resize_rgb};
use crate::{ModelError, Result};
use candle_core::{Device, Tensor};

/// A decoded frame: row-major RGB bytes.
#[derive(Debug, Clone, Copy)]
pub struct RgbFrame<'a> {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height * 3` bytes.
    pub rgb: &'a [u8],
}

/// How pixels become the tower's input; normalised per channel: (x / 255 - mean) / std.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelSettings {
    /// Red, green, blue.
    pub mean: [f32; 3],
    /// Red, green, blue.
    pub std: [f32; 3],
    /// The file that says so; None: the checkpoint has none, 0.5 is used as in training.
    pub source: Option<String>,
    /// Side of the tower's square input, in pixels.
    pub side: usize,
    /// How the frames of a video become that square.
    pub video_fit: FrameFit,
    /// The same for still images.
    pub still_fit: FrameFit,
}

/// How a frame's shape becomes the tower's square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FrameFit {
    /// Stretched, bicubic.
    #[default]
    Stretch,
    /// Padded to a square with the mean colour first, centred, as LLaVA takes several images
    /// (`image_aspect_ratio=pad`, `expand2square`), then as `Stretch`.
    Pad,
    /// Resized so that the longer side has this many pixels (up or down, the shorter one rounded down to an even number),
    /// then stretched to the square, both by Lanczos (transformers, `SmolVLMVideoProcessor`).
    LongestEdge(usize),
}

/// Resizes and normalises frames.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    settings: PixelSettings,
    /// Normalised value of each byte, per channel.
    table: [[f32; 256]; 3],
    /// The mean colour in bytes.
    background: [u8; 3],
}

impl Preprocessor {
    /// As `settings` say.
    pub fn new(settings: &PixelSettings) -> Self {
        let value = |c: usize, byte: usize| (byte as f32 / 255.0 - settings.mean[c]) / settings.std[c];
        Self {
            settings: settings.clone(),
            table: std::array::from_fn(|c| std::array::from_fn(|byte| value(c, byte))),
            background: std::array::from_fn(|c| (settings.mean[c] * 255.0) as u8),
        }
    }

    /// Side of the tower's input.
    pub fn side(&self) -> usize {
        self.settings.side
    }

    /// A video's frame in the tower's size: row-major RGB bytes.
    pub fn resize(&self, frame: RgbFrame<'_>) -> Result<Vec<u8>> {
        self.fit(frame, self.settings.video_fit)
    }

    /// The same for a frame that is fitted as `fit` says.
    pub fn fit(&self, frame: RgbFrame<'_>, fit: FrameFit) -> Result<Vec<u8>> {
        match fit {
            FrameFit::Stretch => self.square(frame, Filter::Bicubic),
            FrameFit::Pad => self.pad(frame),
            FrameFit::LongestEdge(edge) => {
                let (width, height) = longest_edge(frame.width, frame.height, edge);
                let rgb = resized(frame, (width, height), Filter::Lanczos)?;
                self.square(RgbFrame { width, height, rgb: &rgb }, Filter::Lanczos)
            }
        }
    }

    fn square(&self, frame: RgbFrame<'_>, filter: Filter) -> Result<Vec<u8>> {
        resized(frame, (self.side(), self.side()), filter)
    }

    fn pad(&self, frame: RgbFrame<'_>) -> Result<Vec<u8>> {
        if frame.width == frame.height || frame.rgb.len() != frame.width * frame.height * 3 {
            return self.square(frame, Filter::Bicubic); // which names a mismatch
        }
        let side = frame.width.max(frame.height);
        let (left, top) = ((side - frame.width) / 2, (side - frame.height) / 2);
        let mut rgb = self.background.repeat(side * side);
        for (y, row) in frame.rgb.chunks_exact(frame.width * 3).enumerate() {
            let start = ((top + y) * side + left) * 3;
            rgb[start..start + row.len()].copy_from_slice(row);
        }
        self.square(RgbFrame { width: side, height: side, rgb: &rgb }, Filter::Bicubic)
    }

    /// Normalises resized frames: `[frames, 3, side, side]` in f32.
    pub fn normalise<'a>(&self, resized: impl Iterator<Item = &'a [u8]>, device: &Device) -> Result<Tensor> {
        let side = self.side();
        let mut values = Vec::new();
        for frame in resized {
            for (channel, table) in self.table.iter().enumerate() {
                values.extend(frame.iter().skip(channel).step_by(3).map(|byte| table[usize::from(*byte)]));
            }
        }
        let frames = values.len().checked_div(3 * side * side).unwrap_or(0);
        Ok(Tensor::from_vec(values, (frames, 3, side, side), device)?)
    }
}

fn resized(frame: RgbFrame<'_>, to: (usize, usize), filter: Filter) -> Result<Vec<u8>> {
    resize_rgb(frame.rgb, (frame.width, frame.height), to, filter)
        .map_err(|e| ModelError::Argument(format!("frame cannot be resized: {e}")))
}

/// Width and height whose longer one is `edge`; the other keeps the aspect ratio, rounded down, plus one where that is odd
/// (transformers, `get_resize_output_image_size` of SmolVLM).
fn longest_edge(width: usize, height: usize, edge: usize) -> (usize, usize) {
    let aspect = width as f64 / height.max(1) as f64;
    let even = |n: f64| (n as usize).next_multiple_of(2).max(1);
    if width >= height {
        (edge, even(edge as f64 / aspect.max(f64::MIN_POSITIVE)))
    } else {
        (even(edge as f64 * aspect), edge)
    }
}
