//! What a video is, without decoding it: streams, rotation, and the presentation time of every frame.

mod failure;
mod images;
mod mp4;
mod orientation;
mod packets;
mod picture;
mod streams;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::error::{Result, VideoError};
use crate::process::Tools;
use crate::source::VideoSource;
use crate::time::{MediaTime, TimeBase};

pub(crate) use picture::StoredPicture;
pub use streams::SubtitleStream;

/// Limits of a probe.
#[derive(Clone, Debug)]
pub struct ProbeSettings {
    /// The programs to run.
    pub tools: Tools,
    /// Limit on each run of ffprobe; listing the packets reads the whole file once.
    pub timeout: Duration,
    /// Limit on width x height of a video or an image.
    pub max_pixels: u64,
    /// Limit on the number of frames.
    pub max_frames: usize,
    /// Images a second, for a folder of images.
    pub image_fps: f64,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self {
            tools: Tools::default(),
            timeout: Duration::from_secs(600),
            max_pixels: 8192 * 8192,
            max_frames: 20_000_000,
            image_fps: 1.0,
        }
    }
}

/// How the number of frames, and their times, are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameCountSource {
    /// Every packet carries a presentation time; equal times count once.
    PacketPresentationTimes,
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
}

impl VideoInfo {
    /// Whether frames can be told apart by time, so that decoding may start in the middle.
    pub(crate) fn can_seek(&self) -> bool {
        match &self.content {
            Content::Stream(stream) => stream.ticks.is_some(),
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

/// Finds out what a video is. Nothing is decoded; the packets are listed once.
///
/// # Errors
/// A missing, empty or unreadable file, one without video, one beyond the limits; ffprobe missing or too slow.
pub fn probe(source: &VideoSource, settings: &ProbeSettings) -> Result<VideoInfo> {
    match source {
        VideoSource::Images(folder) => images::probe_images(folder, settings),
        VideoSource::File(path) => {
            check_file(path)?;
            probe_video(source, settings)
        }
        VideoSource::Url(_) => probe_video(source, settings),
    }
}

fn check_file(path: &std::path::Path) -> Result<()> {
    let metadata = std::fs::metadata(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => VideoError::Missing { path: path.to_owned() },
        _ => VideoError::Io { what: path.display().to_string(), source },
    })?;
    if !metadata.is_file() {
        return Err(VideoError::NotAFile { path: path.to_owned() });
    }
    if metadata.len() == 0 {
        return Err(VideoError::EmptyFile { path: path.to_owned() });
    }
    std::fs::File::open(path)
        .map(drop)
        .map_err(|source| VideoError::Io { what: path.display().to_string(), source })
}

fn probe_video(source: &VideoSource, settings: &ProbeSettings) -> Result<VideoInfo> {
    let header = streams::read_header(source, settings)?;
    let stream = header.choose_video(source)?;
    let name = source.name();
    let picture = stream.picture(&name, settings.max_pixels)?;
    let (width, height) = picture.orientation.size((picture.width, picture.height));
    let time_base = stream.time_base(&name)?;
    let packets = packets::list_packets(source, stream.index, settings)?;
    let average_fps = stream.average_fps();
    let table = packets.into_table(time_base, average_fps, header.start_secs());
    if table.times.is_empty() {
        return Err(VideoError::NoDecodableFrame {
            source_name: name,
            detail: ": the stream holds no packets".to_owned(),
        });
    }
    let duration_secs = table.end.secs();
    let span_secs = table.end.saturating_sub(table.times[0]).secs();
    let mut warnings = header.warnings(stream, source);
    warnings.extend(duration_warning(header.duration_secs(), duration_secs));
    Ok(VideoInfo {
        source: source.clone(),
        format: header.format_name(),
        duration_secs,
        header_duration_secs: header.duration_secs(),
        width,
        height,
        rotation_degrees: picture.orientation.rotation_degrees(),
        is_mirrored: picture.orientation.is_mirrored,
        sample_aspect_ratio: stream.sample_aspect_ratio(),
        codec: stream.codec_name.clone().unwrap_or_else(|| "unknown".to_owned()),
        pixel_format: stream.pix_fmt.clone(),
        color_transfer: stream.color_transfer.clone(),
        color_matrix: stream.color_space.clone(),
        color_range: stream.color_range.clone(),
        field_order: stream.field_order().map(str::to_owned),
        average_fps: if span_secs > 0.0 {
            table.times.len() as f64 / span_secs
        } else {
            average_fps.unwrap_or(0.0)
        },
        container_start_secs: header.start_secs().unwrap_or(0.0),
        total_frames: table.times.len(),
        frame_count_source: table.source,
        subtitle_streams: header.subtitle_streams(),
        has_audio: header.has_audio(),
        warnings,
        frame_times: table.times.into(),
        keyframes: table.keyframes.into(),
        content: Content::Stream(VideoStream {
            index: stream.index,
            picture,
            time_base,
            ticks: table.ticks.map(Into::into),
            decode_order: table.decode_order.into(),
        }),
        max_pixels: settings.max_pixels,
    })
}

/// What ffprobe prints, read without running it: the header as JSON, and the lines of packets after an empty line. For fuzzing.
pub(crate) fn read_tables(printed: &[u8]) {
    let at = printed.windows(2).position(|pair| pair == b"\n\n").unwrap_or(printed.len());
    let (header, lines) = printed.split_at(at);
    let mut packets = packets::Packets::default();
    lines.split(|&byte| byte == b'\n').for_each(|line| packets.push_line(line));
    let Ok(header) = serde_json::from_slice::<streams::Header>(header) else { return };
    let subtitles = header.subtitle_streams();
    let _ = crate::SubtitleTrack::Usual.choose(&subtitles);
    let source = VideoSource::File("fuzzed.mp4".into());
    let Ok(stream) = header.choose_video(&source) else { return };
    let _ = (stream.displayed_size("fuzzed", u64::MAX), header.warnings(stream), header.duration_secs());
    let Ok(time_base) = stream.time_base("fuzzed") else { return };
    let table = packets.into_table(time_base, stream.average_fps(), header.start_secs());
    let rising = table.times.windows(2).all(|pair| pair[0] <= pair[1]);
    assert!(
        rising && table.keyframes.iter().all(|&key| key < table.times.len()),
        "a frame table out of order"
    );
}

fn duration_warning(header_secs: Option<f64>, packet_secs: f64) -> Option<String> {
    let header_secs = header_secs?;
    let differs = (header_secs - packet_secs).abs() > 1.0 + 0.02 * packet_secs;
    differs.then(|| {
        format!("the header says {header_secs:.1} s, but the video's packets end at {packet_secs:.1} s: the packets are used")
    })
}
