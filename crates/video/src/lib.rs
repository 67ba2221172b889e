//! Video file in, sampled frames out. This crate knows no model.
//!
//! The data's way through it, one module a step:
//!
//! 1. [`VideoSource`]: what the user typed becomes a file, a URL (only when allowed) or a folder of images.
//! 2. [`probe()`]: `ffprobe` lists the streams and the packets (nothing is decoded) -> [`VideoInfo`].
//! 3. [`sample()`]: pure; frame budget and clip range -> [`SamplePlan`]: which frames, and how to reach them.
//! 4. [`open_frames()`]: `ffmpeg` decodes only what the plan needs -> an iterator of [`Frame`]s.
//!
//! Subtitles are read apart from this path: [`read_subtitles`], [`embedded_subtitles`], [`cues_near_frames`].
//!
//! `ffmpeg` and `ffprobe` run as child processes without a shell, with no standard input, a time limit and bounded
//! output; a child is killed when its reader is dropped. A file on disk may not make them open another file or the
//! network: playlists and other formats that refer to further files are not on the list of formats allowed.

mod chunks;
mod decode;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod probe;
mod process;
mod sample;
mod source;
mod still;
mod subtitles;
mod thumbnail;
mod time;

pub use decode::{Colour, DecodeSettings, Frame, FrameReader, open_frames};
pub use error::VideoError;
pub use probe::{FrameCountSource, ProbeSettings, SubtitleStream, VideoInfo, probe};
pub use process::Tools;
pub use sample::{
    DecodeRun, DecodeStrategy, FrameBudget, PlannedFrame, SamplePlan, SampleSettings, linspace_indices,
    sample,
};
pub use source::VideoSource;
pub use still::PictureFormat;
pub use subtitles::{
    Cue, SubtitleReading, SubtitleTrack, Subtitles, cues_near_frames, embedded_subtitles, parse_subtitles,
    read_subtitles, subtitle_prompt,
};
pub use thumbnail::{Thumbnail, thumbnails};
pub use time::MediaTime;
