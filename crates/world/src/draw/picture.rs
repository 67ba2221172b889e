//! RGB pictures.

use crate::{Result, WorldError};
use std::path::Path;

/// 8-bit RGB, row by row from the top left; `width * height * 3` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// A black one.
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, rgb: vec![0; width as usize * height as usize * 3] }
    }

    /// Pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All bytes, `height * width * 3`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    pub(crate) fn rgb_mut(&mut self) -> &mut [u8] {
        &mut self.rgb
    }

    /// Sets every pixel to `paint(x, y)`, row by row.
    pub(crate) fn fill_rows(&mut self, mut row: impl FnMut(usize, &mut [[u8; 3]])) {
        let width = self.width as usize;
        let (pixels, _) = self.rgb.as_chunks_mut::<3>();
        for (y, pixels) in pixels.chunks_exact_mut(width.max(1)).enumerate() {
            row(y, pixels);
        }
    }

    /// Multiplies brightness, saturating.
    pub(crate) fn brighten(&mut self, gain: f64) {
        let table: [u8; 256] = std::array::from_fn(|value| (value as f64 * gain).round().min(255.0) as u8);
        for byte in &mut self.rgb {
            *byte = table[usize::from(*byte)];
        }
    }

    /// Writes a PNG: to a temporary name first, then renamed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_png(&self, path: &Path) -> Result<()> {
        let image = image::RgbImage::from_raw(self.width, self.height, self.rgb.clone())
            .ok_or_else(|| WorldError::file(path, "the picture's size and bytes disagree"))?;
        let partial = crate::files::partial_name(path);
        image
            .save_with_format(&partial, image::ImageFormat::Png)
            .map_err(|error| WorldError::file(&partial, error))?;
        crate::files::rename(&partial, path)
    }
}
