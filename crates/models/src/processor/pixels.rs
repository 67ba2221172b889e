//! RGB frames to the tower's input.

use super::resize::resize_rgb;
use crate::families::llava::PixelSettings;
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

/// How a frame's shape becomes the tower's square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FrameFit {
    /// Stretched, as these families take videos.
    #[default]
    Stretch,
    /// Padded to a square with the mean colour first, centred, as LLaVA takes several images
    /// (`image_aspect_ratio=pad`, `expand2square`).
    Pad,
}

/// Resizes and normalises frames.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    side: usize,
    /// Normalised value of each byte, per channel.
    table: [[f32; 256]; 3],
    /// The mean colour in bytes.
    background: [u8; 3],
}

impl Preprocessor {
    /// For a tower of `side x side` pixels.
    pub fn new(side: usize, settings: &PixelSettings) -> Self {
        let value = |c: usize, byte: usize| (byte as f32 / 255.0 - settings.mean[c]) / settings.std[c];
        Self {
            side,
            table: std::array::from_fn(|c| std::array::from_fn(|byte| value(c, byte))),
            background: std::array::from_fn(|c| (settings.mean[c] * 255.0) as u8),
        }
    }

    /// Side of the tower's input.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Resizes to side x side (Pillow's bicubic, aspect ratio not kept): row-major RGB bytes.
    pub fn resize(&self, frame: RgbFrame<'_>) -> Result<Vec<u8>> {
        resize_rgb(frame.rgb, frame.width, frame.height, self.side, self.side)
            .map_err(|e| ModelError::Argument(format!("frame cannot be resized: {e}")))
    }

    /// The same for a frame that is fitted as `fit` says.
    pub fn fit(&self, frame: RgbFrame<'_>, fit: FrameFit) -> Result<Vec<u8>> {
        if fit == FrameFit::Stretch || frame.width == frame.height {
            return self.resize(frame);
        }
        if frame.rgb.len() != frame.width * frame.height * 3 {
            return self.resize(frame); // which names the mismatch
        }
        let side = frame.width.max(frame.height);
        let (left, top) = ((side - frame.width) / 2, (side - frame.height) / 2);
        let mut rgb = self.background.repeat(side * side);
        for (y, row) in frame.rgb.chunks_exact(frame.width * 3).enumerate() {
            let start = ((top + y) * side + left) * 3;
            rgb[start..start + row.len()].copy_from_slice(row);
        }
        self.resize(RgbFrame { width: side, height: side, rgb: &rgb })
    }

    /// Normalises resized frames: `[frames, 3, side, side]` in f32.
    pub fn normalise<'a>(&self, resized: impl Iterator<Item = &'a [u8]>, device: &Device) -> Result<Tensor> {
        let area = self.side * self.side;
        let mut values = Vec::new();
        for frame in resized {
            for (channel, table) in self.table.iter().enumerate() {
                values.extend(frame.iter().skip(channel).step_by(3).map(|byte| table[usize::from(*byte)]));
            }
        }
        let frames = values.len().checked_div(3 * area).unwrap_or(0);
        Ok(Tensor::from_vec(values, (frames, 3, self.side, self.side), device)?)
    }
}
