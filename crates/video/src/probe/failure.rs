//! Why ffprobe could not read a file, in words.

use super::mp4;
use crate::chunks::is_animated_webp;
use crate::error::VideoError;
use crate::source::VideoSource;
use crate::still::{self, PictureFormat};

/// From what ffprobe wrote to its log.
pub(super) fn explain(source: &VideoSource, log: String) -> VideoError {
    let source_name = source.name();
    let head = source.path().and_then(|path| still::head(path).ok()).unwrap_or_default();
    let picture = PictureFormat::of(&head);
    if picture == Some(PictureFormat::Heic) {
        let detail = "this ffmpeg does not read its kind of HEIF; convert it, to JPEG for example".to_owned();
        return VideoError::NotAVideo { source_name, detail };
    }
    // ffmpeg takes any file that is called .mp4 for one.
    if log.contains("moov atom not found") && source.path().is_none_or(mp4::looks_like_mp4) {
        return VideoError::Truncated { source_name };
    }
    let detail = if log.contains("Format not on whitelist") {
        match picture {
            Some(PictureFormat::WebP) if is_animated_webp(&head) => {
                "it is an animated WebP, which ffmpeg does not decode; convert it, to GIF or MP4 for example"
            }
            Some(_) => "it is a single picture; give a folder that holds it",
            None => "its format is not a video, or refers to other files (playlist, image sequence)",
        }
        .to_owned()
    } else if log.is_empty() {
        "ffprobe gave no reason".to_owned()
    } else {
        log
    };
    VideoError::NotAVideo { source_name, detail }
}
