//! The ground truth of one video, as a file.

use crate::encode::Codec;
use crate::script::VideoScript;
use serde::{Deserialize, Serialize};

/// `truth/NAME.json`: everything that is in a video, and how it was coded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The video file, from the folder's top, with `/`.
    pub video: String,
    /// How it is coded.
    pub codec: Codec,
    /// Seed, size, frame rate, length, segments and cards.
    #[serde(flatten)]
    pub script: VideoScript,
}
