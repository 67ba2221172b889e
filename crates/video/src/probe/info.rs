//! What a probe finds.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::clock::ClockPiece;
use super::picture::StoredPicture;
use super::streams::SubtitleStream;
use crate::source::VideoSource;
use crate::time::{MediaTime, TimeBase};

/// How the number of frames, and their times, are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameCountSource {
    /// Every packet carries a presentation time; equal times count once.
    PacketPresentationTimes,
    /// Each frame is coded as two fields, in a packet each, and has the presentation time of the first one.
    FirstFieldTimes,
    /// Some packets carry no presentation time (AVI, MPEG-PS): frame k has the k-th decoding time.
    PacketDecodingTimes,
    /// Packets carry no times at all (raw streams): frame k has k times the mean duration of the packets or, where
    /// they state none, k / the header's average frame rate.
    PacketCount,
    /// Files of a folder of images: frame k has the time k / image rate.
    ImageFiles,
}

impl FrameCountSource {
    /// In words, for a receipt.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PacketPresentationTimes => "presentation times of the demuxed packets",
            Self::FirstFieldTimes => {
                "presentation times of the first of each frame's two fields, which are packets of their own"
            }
            Self::PacketDecodingTimes => {
                "demuxed packets in decoding order (some carry no presentation time)"
            }
            Self::PacketCount => {
                "demuxed packets without any time (times from their mean duration, or the header's frame rate)"
            }
            Self::ImageFiles => "image files",
        }
    }
}

impl fmt::Display for FrameCountSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for FrameCountSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a probe finds. Cheap to clone: the tables are shared.
#[derive(Clone, Debug, Serialize)]
pub struct VideoInfo {
    /// The file, URL or folder.
    pub source: VideoSource,
    /// Container format as ffprobe names it, or `images`.
    pub format: String,
    /// From the container's start to the end of the last frame, by the packets (not by the header).
    pub duration_secs: f64,
    /// What the container's header claims, if anything.
    pub header_duration_secs: Option<f64>,
    /// Width of a decoded frame in pixels, after rotation. Non-square pixels are not stretched.
    pub width: u32,
    /// Height of a decoded frame in pixels, after rotation.
    pub height: u32,
    /// Clockwise rotation that was applied, in degrees: 0 to 359.
    pub rotation_degrees: u32,
    /// Whether left and right changed places before that.
    pub is_mirrored: bool,
    /// Width : height of one pixel, if the file says so and it is not 1:1.
    pub sample_aspect_ratio: Option<String>,
    /// Codec as ffprobe names it, or the images' extension.
    pub codec: String,
    /// Pixel format as ffprobe names it.
    pub pixel_format: Option<String>,
    /// Transfer characteristics as ffprobe names them (`smpte2084`, `arib-std-b67`: HDR, which is not tone-mapped).
    pub color_transfer: Option<String>,
    /// Matrix from YCbCr to RGB as ffprobe names it; BT.601 where there is none.
    pub color_matrix: Option<String>,
    /// `tv` or `pc`, as ffprobe names it.
    pub color_range: Option<String>,
    /// As ffprobe names it: `progressive`, or which field is first in the file and on the screen (`tt`, `bb`, `tb`, `bt`).
    pub field_order: Option<String>,
    /// Frames divided by their duration.
    pub average_fps: f64,
    /// The container's own start time in seconds; all times here are relative to it, as in players.
    pub container_start_secs: f64,
    /// Number of frames: the length of `frame_times`.
    pub total_frames: usize,
    /// How `total_frames` and the times are known.
    pub frame_count_source: FrameCountSource,
    /// Text and bitmap subtitle streams.
    pub subtitle_streams: Vec<SubtitleStream>,
    /// Whether the file has sound.
    pub has_audio: bool,
    /// What the user should know: a wrong header, several video streams, ...
    pub warnings: Vec<String>,
    /// Presentation times of all frames, rising.
    #[serde(skip)]
    pub frame_times: Arc<[MediaTime]>,
    /// Indices of frames at which decoding can start, rising.
    #[serde(skip)]
    pub keyframes: Arc<[usize]>,
    #[serde(skip)]
    pub(crate) content: Content,
    #[serde(skip)]
    pub(crate) max_pixels: u64,
}

/// What decoding needs to know beyond the public part.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Stream(VideoStream),
    Images(Arc<[StillFile]>),
}

/// One file of a folder of images.
#[derive(Clone, Debug)]
pub(crate) struct StillFile {
    pub(crate) path: PathBuf,
    /// Where ffmpeg decodes it: the first frame of this is the picture.
    pub(crate) video: Option<Box<VideoInfo>>,
}

#[derive(Clone, Debug)]
pub(crate) struct VideoStream {
    pub(crate) index: u32,
    pub(crate) picture: StoredPicture,
    pub(crate) time_base: TimeBase,
    /// Presentation times in ticks of `time_base`, one a frame; `None` if frames can only be counted.
    pub(crate) ticks: Option<Arc<[i64]>>,
    /// Position of each frame's packet in the file; empty if frames can only be counted.
    pub(crate) decode_order: Arc<[u32]>,
    /// Where the clock jumps, so that frames are reached from the file's start; empty where it runs on.
    pub(crate) pieces: Arc<[ClockPiece]>,
}

impl VideoInfo {
    /// Whether frames can be told apart by time, so that decoding may start in the middle.
    pub(crate) fn can_seek(&self) -> bool {
        match &self.content {
            Content::Stream(stream) => stream.ticks.is_some() && stream.pieces.is_empty(),
            Content::Images(_) => true,
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(
        times: Vec<MediaTime>,
        keyframes: Vec<usize>,
        (width, height): (u32, u32),
        duration_secs: f64,
    ) -> Self {
        let ticks: Vec<i64> = times.iter().map(|time| time.nanos()).collect();
        Self {
            source: VideoSource::File("test.mp4".into()),
            format: "mov,mp4".to_owned(),
            duration_secs,
            header_duration_secs: None,
            width,
            height,
            rotation_degrees: 0,
            is_mirrored: false,
            sample_aspect_ratio: None,
            codec: "h264".to_owned(),
            pixel_format: None,
            color_transfer: None,
            color_matrix: None,
            color_range: None,
            field_order: None,
            average_fps: times.len() as f64 / duration_secs,
            container_start_secs: 0.0,
            total_frames: times.len(),
            frame_count_source: FrameCountSource::PacketPresentationTimes,
            subtitle_streams: Vec::new(),
            has_audio: false,
            warnings: Vec::new(),
            content: Content::Stream(VideoStream {
                index: 0,
                picture: StoredPicture {
                    width,
                    height,
                    pixel_format: None,
                    range: None,
                    chroma_location: None,
                    is_interlaced: false,
                    orientation: Default::default(),
                },
                time_base: TimeBase { numerator: 1, denominator: 1_000_000_000 },
                decode_order: (0..times.len() as u32).collect(),
                ticks: Some(ticks.into()),
                pieces: Arc::new([]),
            }),
            frame_times: times.into(),
            keyframes: keyframes.into(),
            max_pixels: 1 << 26,
        }
    }

    /// The time at which the last frame ends, in the video's clock.
    pub fn end(&self) -> MediaTime {
        MediaTime::from_secs(self.duration_secs)
    }
}
