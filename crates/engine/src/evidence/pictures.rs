use super::Evidence;
use crate::Result;
use longsight_video::{DecodeSettings, Thumbnail, VideoInfo, thumbnails};
use serde::Serialize;

/// Width of a moment's thumbnail, in pixels.
pub const THUMBNAIL_WIDTH: u32 = 320;

/// Evidence for programs, with pictures.
#[derive(Debug, Clone, Serialize)]
pub struct IllustratedEvidence {
    /// The evidence.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// The best frame of each moment, as JPEG in a data URL; null where there is no picture.
    pub thumbnails: Vec<Option<String>>,
}

impl Evidence {
    /// Indices of the moments' best frames.
    pub fn best_frames(&self) -> Vec<usize> {
        self.moments.iter().map(|moment| moment.best_frame_index).collect()
    }

    /// The evidence with a picture of each moment, whose frame is decoded anew.
    ///
    /// # Errors
    /// What decoding says; [`Self::without_pictures`] is left then.
    pub fn illustrated(&self, video: &VideoInfo, settings: &DecodeSettings) -> Result<IllustratedEvidence> {
        let pictures = thumbnails(video, &self.best_frames(), THUMBNAIL_WIDTH, settings)?;
        let of = |moment: usize| pictures.iter().find(|picture| picture.index == moment);
        let thumbnails = self.best_frames().into_iter().map(|index| of(index).map(Thumbnail::data_url));
        Ok(IllustratedEvidence { evidence: self.clone(), thumbnails: thumbnails.collect() })
    }

    /// The evidence alone.
    pub fn without_pictures(&self) -> IllustratedEvidence {
        IllustratedEvidence { evidence: self.clone(), thumbnails: vec![None; self.moments.len()] }
    }
}
