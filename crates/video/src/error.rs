use std::path::PathBuf;
use std::time::Duration;

use longsight_text::{sentence, shown};

use crate::still::PictureFormat;
use crate::time::MediaTime;

fn path_name(path: &std::path::Path) -> String {
    shown(&path.to_string_lossy())
}

/// Everything that can go wrong between a video file and its frames. Every message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VideoError {
    /// A URL was given without the user's permission to use the network.
    #[error("{}: is a URL; pass --allow-url to let ffmpeg read from the network", shown(url))]
    UrlNotAllowed {
        /// What the user typed.
        url: String,
    },
    /// The path does not exist.
    #[error("{}: no such file or folder", path_name(path))]
    Missing {
        /// The path as typed.
        path: PathBuf,
    },
    /// The file has no bytes.
    #[error("{}: the file is empty (0 bytes)", path_name(path))]
    EmptyFile {
        /// The path as typed.
        path: PathBuf,
    },
    /// The path is neither a regular file nor a folder.
    #[error("{}: is not a regular file", path_name(path))]
    NotAFile {
        /// The path as typed.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("{}: {source}", shown(what))]
    Io {
        /// What was read or written.
        what: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// `ffmpeg` or `ffprobe` is not installed.
    #[error(
        "{tool} was not found; install ffmpeg (Debian/Ubuntu: apt-get install ffmpeg, macOS: brew install ffmpeg)"
    )]
    ToolMissing {
        /// The program that could not be started.
        tool: String,
    },
    /// The system has no thread to give.
    #[error("cannot start a thread ({source}): allow this program more memory or more processes")]
    NoThread {
        /// The system's reason.
        source: std::io::Error,
    },
    /// A child process took longer than its limit and was killed.
    #[error("{}: {tool} gave no result within {} s and was stopped", shown(source_name), limit.as_secs_f64())]
    Timeout {
        /// The video.
        source_name: String,
        /// The program that was stopped.
        tool: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// A child process wrote more than it may.
    #[error("{}: {tool} wrote more than {limit_bytes} bytes and was stopped", shown(source_name))]
    TooMuchOutput {
        /// The video.
        source_name: String,
        /// The program that was stopped.
        tool: &'static str,
        /// The limit.
        limit_bytes: usize,
    },
    /// ffmpeg does not recognise the file, or it is one of the formats that refer to other files.
    #[error("{}: not a video that can be read: {}", shown(source_name), sentence(detail))]
    NotAVideo {
        /// The video.
        source_name: String,
        /// ffmpeg's reason.
        detail: String,
    },
    /// An MP4 or MOV file without its index.
    #[error(
        "{}: the file is truncated (its index, the moov atom, is missing); download or copy it again",
        shown(source_name)
    )]
    Truncated {
        /// The video.
        source_name: String,
    },
    /// The file holds audio, subtitles or cover art, but no video.
    #[error("{}: the file has no video stream (it has: {})", shown(source_name), shown(streams))]
    NoVideoStream {
        /// The video.
        source_name: String,
        /// The streams that it does have.
        streams: String,
    },
    /// A stream is there, but no frame of it can be decoded.
    #[error("{}: no frame of the video can be decoded{}", shown(source_name), sentence(detail))]
    NoDecodableFrame {
        /// The video.
        source_name: String,
        /// ffmpeg's reason, with a leading `: `; or empty.
        detail: String,
    },
    /// The picture is larger than allowed.
    #[error("{}: {width}x{height} pixels are more than the limit of {max_pixels}", shown(source_name))]
    TooManyPixels {
        /// The video or image.
        source_name: String,
        /// Width of the picture.
        width: u64,
        /// Height of the picture.
        height: u64,
        /// The limit on width x height.
        max_pixels: u64,
    },
    /// The video has more frames than allowed.
    #[error("{}: more than {max_frames} frames", shown(source_name))]
    TooManyFrames {
        /// The video.
        source_name: String,
        /// The limit.
        max_frames: usize,
    },
    /// A folder without any image.
    #[error("{}: the folder holds no image ({}){}", path_name(path), PictureFormat::EXTENSIONS.join(", "), it_has(others))]
    NoImages {
        /// The folder.
        path: PathBuf,
        /// Names of what it does hold, where that is anything.
        others: String,
    },
    /// One image cannot be read.
    #[error("{}: the image cannot be read: {}", path_name(path), sentence(detail))]
    BadImage {
        /// The image.
        path: PathBuf,
        /// The decoder's reason.
        detail: String,
    },
    /// 0 frames were asked for.
    #[error("0 frames were asked for; ask for at least 1")]
    NoFramesAsked,
    /// Frame indices given in no order.
    #[error("the frames asked for by index are not in rising order; sort them")]
    IndicesFall,
    /// More frames were asked for than any model takes.
    #[error("{frames} frames were asked for; the limit is {limit}")]
    TooManyFramesAsked {
        /// Number of frames as asked.
        frames: usize,
        /// The limit.
        limit: usize,
    },
    /// A frame rate that is not a positive number.
    #[error("a frame rate of {fps} was asked for; it must be a positive number")]
    BadFps {
        /// The rate as asked.
        fps: f64,
    },
    /// `--from` is not before `--to`.
    #[error("the clip is empty: --from {from} is not before --to {to}")]
    ClipReversed {
        /// Start of the clip.
        from: MediaTime,
        /// End of the clip.
        to: MediaTime,
    },
    /// The clip starts after the last frame.
    #[error("the clip starts at {from}, past the end of the video ({end})")]
    ClipPastEnd {
        /// Start of the clip.
        from: MediaTime,
        /// Time of the end of the video.
        end: MediaTime,
    },
    /// No frame's presentation time lies within the clip.
    #[error("no frame of the video lies between {from} and {to}; widen the clip")]
    ClipEmpty {
        /// Start of the clip.
        from: MediaTime,
        /// End of the clip.
        to: MediaTime,
    },
    /// A time that cannot be parsed.
    #[error("`{}` is not a time; write seconds (90.5), M:SS (1:30) or H:MM:SS (1:02:03.5)", shown(text))]
    BadTime {
        /// The text as typed.
        text: String,
    },
    /// ffmpeg failed, or did not give what was asked of it.
    #[error("{}: decoding failed: {}", shown(source_name), sentence(detail))]
    Decode {
        /// The video.
        source_name: String,
        /// What happened.
        detail: String,
    },
    /// A subtitle file that cannot be read.
    #[error(transparent)]
    Text(#[from] longsight_text::TextError),
    /// Subtitles that cannot be used.
    #[error("{}: {}", shown(name), sentence(detail))]
    Subtitles {
        /// The file or video.
        name: String,
        /// What is wrong and what to do.
        detail: String,
    },
}

fn it_has(others: &str) -> String {
    if others.is_empty() { String::new() } else { format!("; it has: {}", shown(others)) }
}

/// The crate's result.
pub(crate) type Result<T> = std::result::Result<T, VideoError>;
