use std::sync::Arc;

use super::{DecodeSettings, Picture, open_frames};
use crate::error::{Result, VideoError};
use crate::probe::{StillFile, VideoInfo};
use crate::sample::{FrameBudget, SampleSettings, sample};
use crate::still;

/// Opens image files one by one. Transparency is dropped.
pub(super) struct ImagePictures {
    files: Arc<[StillFile]>,
    max_pixels: u64,
    settings: DecodeSettings,
}

impl ImagePictures {
    pub(super) fn new(files: Arc<[StillFile]>, info: &VideoInfo, settings: &DecodeSettings) -> Self {
        Self { files, max_pixels: info.max_pixels, settings: settings.clone() }
    }

    pub(super) fn picture(&mut self, index: usize) -> Result<Picture> {
        let file = &self.files[index];
        let bad = |detail: String| VideoError::BadImage { path: file.path.clone(), detail };
        if let Some(video) = &file.video {
            return first_picture(video, &self.settings)?
                .ok_or_else(|| bad("it holds no picture".to_owned()));
        }
        let image = still::read(&file.path, self.max_pixels).map_err(|error| bad(error.to_string()))?;
        let (width, height) = image.dimensions();
        Ok(Picture { replaced_from: None, is_after_damage: false, width, height, rgb: image.into_raw() })
    }
}

/// The first frame of what ffmpeg decodes.
fn first_picture(video: &VideoInfo, settings: &DecodeSettings) -> Result<Option<Picture>> {
    let first = SampleSettings { budget: FrameBudget::Indices([0].into()), ..Default::default() };
    let frame = open_frames(video, &sample(video, &first)?, settings)?.next().transpose()?;
    Ok(frame.map(|frame| Picture {
        replaced_from: frame.replaced_from,
        is_after_damage: frame.is_after_damage,
        width: frame.width,
        height: frame.height,
        rgb: frame.rgb,
    }))
}
