use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{ImageDecoder, ImageReader, Limits};

use super::Picture;
use crate::error::{Result, VideoError};
use crate::probe::VideoInfo;

/// Bytes that decoding one image may take, for each of its pixels: 16-bit RGBA twice over.
const MAX_BYTES_A_PIXEL: u64 = 16;

/// Opens image files one by one. Transparency and EXIF orientation are ignored.
pub(super) struct ImagePictures {
    paths: Arc<[PathBuf]>,
    max_pixels: u64,
}

impl ImagePictures {
    pub(super) fn new(paths: Arc<[PathBuf]>, info: &VideoInfo) -> Self {
        Self { paths, max_pixels: info.max_pixels }
    }

    pub(super) fn picture(&mut self, index: usize) -> Result<Picture> {
        let path = &self.paths[index];
        let bad =
            |error: image::ImageError| VideoError::BadImage { path: path.clone(), detail: error.to_string() };
        let image = self.decode(path).map_err(bad)?.into_rgb8();
        let (width, height) = image.dimensions();
        Ok(Picture { replaced_from: None, width, height, rgb: image.into_raw() })
    }

    fn decode(&self, path: &Path) -> image::ImageResult<image::DynamicImage> {
        let mut limits = Limits::default();
        limits.max_alloc = Some(self.max_pixels.saturating_mul(MAX_BYTES_A_PIXEL));
        let mut reader = ImageReader::open(path)?.with_guessed_format()?;
        reader.limits(limits);
        let decoder = reader.into_decoder()?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > self.max_pixels {
            let too_large = image::error::LimitErrorKind::DimensionError;
            return Err(image::ImageError::Limits(image::error::LimitError::from_kind(too_large)));
        }
        image::DynamicImage::from_decoder(decoder)
    }
}
