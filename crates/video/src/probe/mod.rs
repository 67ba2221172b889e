//! What a video is, without decoding it: streams, rotation, and the presentation time of every frame.

mod clock;
mod failure;
mod fields;
mod fuzz;
mod images;
mod info;
mod mp4;
mod orientation;
mod packets;
mod picture;
mod streams;
mod table;

use std::time::Duration;

use crate::error::{Result, VideoError};
use crate::process::Tools;
use crate::source::VideoSource;
use crate::time::{MediaTime, TimeBase};
use table::{FrameTable, TableSettings};

pub(crate) use clock::ClockPiece;
pub(crate) use fuzz::read_tables;
pub(crate) use info::{Content, StillFile, VideoStream};
pub use info::{FrameCountSource, VideoInfo};
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
    let decoded = if stream.may_be_fields() {
        fields::decoded_head(source, stream.index, settings)
    } else {
        Vec::new()
    };
    let table = table::frame_table(
        packets,
        &TableSettings {
            time_base,
            average_fps,
            container_start_secs: header.start_secs(),
            clock_may_jump: header.clock_may_jump(),
            decoded: &decoded,
        },
    );
    if table.times.is_empty() {
        return Err(VideoError::NoDecodableFrame {
            source_name: name,
            detail: ": the stream holds no packets".to_owned(),
        });
    }
    let duration_secs = table.end.secs();
    let span_secs = table.end.saturating_sub(table.times[0]).secs();
    let mut warnings = header.warnings(stream, source);
    warnings.extend(jump_warning(&table, time_base));
    if table.pieces.is_empty() {
        warnings.extend(duration_warning(header.duration_secs(), duration_secs));
    }
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
            pieces: table.pieces.into(),
        }),
        max_pixels: settings.max_pixels,
    })
}

fn jump_warning(table: &FrameTable, time_base: TimeBase) -> Option<String> {
    let [first, second, ..] = &table.pieces[..] else { return None };
    let jump = second.first.saturating_add(second.shift).saturating_sub(first.first);
    Some(format!(
        "the video's clock jumps at {} of its frames, first after {:.1} s (recordings that were joined, or a lost signal): what \
         follows counts as shown right after, and frames are reached from the file's start",
        table.pieces.len() - 1,
        MediaTime::from_ticks(jump, time_base).secs()
    ))
}

fn duration_warning(header_secs: Option<f64>, packet_secs: f64) -> Option<String> {
    let header_secs = header_secs?;
    let differs = (header_secs - packet_secs).abs() > 1.0 + 0.02 * packet_secs;
    differs.then(|| {
        format!("the header says {header_secs:.1} s, but the video's packets end at {packet_secs:.1} s: the packets are used")
    })
}
