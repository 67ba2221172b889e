//! Subtitles: SubRip, WebVTT and ASS, from a file or from a stream of the video, down to the cues near the sampled frames.
//!
//! Bytes become text in the `longsight-text` crate; [`parse`] tells the format and takes the cues out of it ([`ass`] for
//! Advanced SubStation Alpha), [`rolling`] joins captions that show their lines again, and [`embedded`] reads a stream.

mod ass;
mod embedded;
mod near;
mod parse;
mod plain;
mod rolling;
mod track;

use std::path::Path;

use longsight_text::{TextEncoding, read_file};
use serde::Serialize;

use crate::error::{Result, VideoError};
use crate::time::MediaTime;

pub use embedded::embedded_subtitles;
pub use near::{cues_near_frames, subtitle_prompt};
pub use parse::parse_subtitles;
pub use track::SubtitleTrack;

/// Subtitles larger than this are refused.
pub(crate) const MAX_SUBTITLE_BYTES: usize = 64 << 20;

/// One subtitle: on screen from `start` to `end`, in the video's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cue {
    /// When it appears.
    pub start: MediaTime,
    /// When it disappears; not before `start`.
    pub end: MediaTime,
    /// Its words on one line, without tags; never empty.
    pub text: String,
}

/// What a subtitle file or stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtitles {
    /// By start, then end.
    pub cues: Vec<Cue>,
    /// How they were read.
    pub reading: SubtitleReading,
}

/// How subtitles were read, for receipts and warnings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SubtitleReading {
    /// `SubRip`, `WebVTT` or `ASS`.
    pub format: &'static str,
    /// The character encoding, as the WHATWG's standard names it.
    pub encoding: &'static str,
    /// How the encoding is known: `told`, `mark` (a byte order mark), `content`, or `guessed`.
    pub encoding_source: &'static str,
    /// Whether bytes that the encoding does not have were replaced.
    pub damaged: bool,
    /// Cues left out because their times cannot be read or end before they start.
    pub unreadable_cues: usize,
    /// Cues that only showed again, or went on with, what the one before showed.
    pub joined_cues: usize,
    /// Texts that stand at a place in the picture (signs), left out.
    pub left_out_signs: usize,
    /// The stream, by its index in the file; None for a subtitle file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_index: Option<u32>,
    /// The stream's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Why this stream, where there was a choice that nobody made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
}

/// Reads a subtitle file; the content decides its format, and its encoding where that is None.
///
/// # Errors
/// A missing or too large file, a device; a file without a single cue.
pub fn read_subtitles(path: &Path, encoding: Option<TextEncoding>) -> Result<Subtitles> {
    let subtitles = parse_subtitles(&read_file(path, MAX_SUBTITLE_BYTES as u64)?, encoding);
    if subtitles.cues.is_empty() {
        let detail = "no subtitle was found in it; it must be SubRip (.srt), WebVTT (.vtt) or ASS (.ass)";
        let name = longsight_text::shown(&path.to_string_lossy());
        return Err(VideoError::Subtitles { name, detail: detail.to_owned() });
    }
    Ok(subtitles)
}
