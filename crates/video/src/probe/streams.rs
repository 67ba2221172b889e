//! The container's header, as ffprobe prints it in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ProbeSettings, mp4};
use crate::error::{Result, VideoError};
use crate::process::{ToolCommand, run_to_end};
use crate::source::VideoSource;
use crate::time::TimeBase;

const MAX_HEADER_BYTES: usize = 16 << 20;
const BITMAP_SUBTITLES: [&str; 5] =
    ["hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub", "dvb_teletext"];

/// One subtitle stream of a video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubtitleStream {
    /// Index among all streams of the file.
    pub stream_index: u32,
    /// Codec as ffprobe names it.
    pub codec: String,
    /// Language tag, if any.
    pub language: Option<String>,
    /// Whether it is text; bitmap subtitles cannot be read.
    pub is_text: bool,
    /// Whether players show it unasked.
    pub is_default: bool,
    /// Whether it holds only a part of what is said (a forced track, signs), or a commentary.
    pub is_partial: bool,
}

#[derive(Deserialize)]
pub(super) struct Header {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
struct Format {
    format_name: Option<String>,
    start_time: Option<String>,
    duration: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Stream {
    pub(super) index: u32,
    codec_type: Option<String>,
    pub(super) codec_name: Option<String>,
    pub(super) pix_fmt: Option<String>,
    pub(super) color_transfer: Option<String>,
    #[serde(default)]
    width: i64,
    #[serde(default)]
    height: i64,
    sample_aspect_ratio: Option<String>,
    time_base: Option<String>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    #[serde(default)]
    disposition: BTreeMap<String, i64>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

pub(super) fn read_header(source: &VideoSource, settings: &ProbeSettings) -> Result<Header> {
    let name = source.name();
    let command = ToolCommand::ffprobe(&settings.tools, name.clone())
        .args(["-hide_banner", "-v", "error", "-print_format", "json", "-show_format", "-show_streams"])
        .args(source.input_args());
    let output = run_to_end(command, settings.timeout, MAX_HEADER_BYTES)?;
    if !output.status.success() {
        return Err(explain_failure(source, output.log));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| VideoError::NotAVideo {
        source_name: name,
        detail: format!("ffprobe's answer could not be understood ({error})"),
    })
}

fn explain_failure(source: &VideoSource, log: String) -> VideoError {
    let source_name = source.name();
    // ffmpeg takes any file that is called .mp4 for one.
    if log.contains("moov atom not found") && source.path().is_none_or(mp4::looks_like_mp4) {
        return VideoError::Truncated { source_name };
    }
    let detail = if log.contains("Format not on whitelist") {
        "its format is not a video, or refers to other files (playlist, image sequence)".to_owned()
    } else if log.is_empty() {
        "ffprobe gave no reason".to_owned()
    } else {
        log
    };
    VideoError::NotAVideo { source_name, detail }
}

impl Header {
    /// The default video stream, else the first; cover art is not video.
    pub(super) fn choose_video(&self, source: &VideoSource) -> Result<&Stream> {
        let mut videos = self.videos();
        let first = videos.next();
        let default = first.into_iter().chain(videos).find(|stream| stream.has_disposition("default"));
        default.or(first).ok_or_else(|| {
            let source_name = source.name();
            if self.streams.is_empty() && source.path().is_some_and(mp4::is_cut_short) {
                return VideoError::Truncated { source_name };
            }
            VideoError::NoVideoStream { source_name, streams: self.describe_streams() }
        })
    }

    fn videos(&self) -> impl Iterator<Item = &Stream> {
        self.streams.iter().filter(|stream| stream.is("video") && !stream.is_still())
    }

    fn describe_streams(&self) -> String {
        if self.streams.is_empty() {
            return "no streams at all".to_owned();
        }
        let describe = |stream: &Stream| match stream.codec_type.as_deref() {
            Some("video") => "cover art".to_owned(),
            Some(kind) => kind.to_owned(),
            None => "unknown".to_owned(),
        };
        let mut kinds: Vec<String> = self.streams.iter().map(describe).collect();
        kinds.dedup();
        kinds.truncate(8);
        kinds.join(", ")
    }

    pub(super) fn warnings(&self, chosen: &Stream) -> Vec<String> {
        let count = self.videos().count();
        let several = (count > 1)
            .then(|| format!("the file has {count} video streams; stream {} is used", chosen.index));
        several.into_iter().collect()
    }

    pub(super) fn format_name(&self) -> String {
        self.format.format_name.clone().unwrap_or_else(|| "unknown".to_owned())
    }

    pub(super) fn start_secs(&self) -> Option<f64> {
        parse_secs(self.format.start_time.as_deref())
    }

    pub(super) fn duration_secs(&self) -> Option<f64> {
        parse_secs(self.format.duration.as_deref())
    }

    pub(super) fn has_audio(&self) -> bool {
        self.streams.iter().any(|stream| stream.is("audio"))
    }

    pub(super) fn subtitle_streams(&self) -> Vec<SubtitleStream> {
        let subtitles = self.streams.iter().filter(|stream| stream.is("subtitle"));
        subtitles
            .map(|stream| {
                let codec = stream.codec_name.clone().unwrap_or_else(|| "unknown".to_owned());
                SubtitleStream {
                    stream_index: stream.index,
                    is_text: codec != "unknown" && !BITMAP_SUBTITLES.contains(&codec.as_str()),
                    codec,
                    language: stream.tags.get("language").cloned(),
                    is_default: stream.has_disposition("default"),
                    is_partial: stream.is_partial_text(),
                }
            })
            .collect()
    }
}

impl Stream {
    fn is(&self, kind: &str) -> bool {
        self.codec_type.as_deref() == Some(kind)
    }

    fn has_disposition(&self, name: &str) -> bool {
        self.disposition.get(name).is_some_and(|&value| value != 0)
    }

    /// By its disposition; where nobody set that, by its title, as films are made.
    fn is_partial_text(&self) -> bool {
        let title = self.tags.get("title").map(|title| title.to_lowercase()).unwrap_or_default();
        ["forced", "comment"].iter().any(|name| self.has_disposition(name))
            || ["forced", "signs", "commentary"].iter().any(|word| title.contains(word))
    }

    fn is_still(&self) -> bool {
        self.has_disposition("attached_pic") || self.has_disposition("timed_thumbnails")
    }

    /// Width and height after rotation, and the clockwise rotation in degrees.
    pub(super) fn displayed_size(&self, source_name: &str, max_pixels: u64) -> Result<(u32, u32, u32)> {
        let (Ok(width @ 1..), Ok(height @ 1..)) = (u32::try_from(self.width), u32::try_from(self.height))
        else {
            return Err(VideoError::NoDecodableFrame {
                source_name: source_name.to_owned(),
                detail: format!(
                    ": the {} stream has no picture size",
                    self.codec_name.as_deref().unwrap_or("video")
                ),
            });
        };
        if u64::from(width) * u64::from(height) > max_pixels {
            return Err(VideoError::TooManyPixels {
                source_name: source_name.to_owned(),
                width: width.into(),
                height: height.into(),
                max_pixels,
            });
        }
        let rotation = self.rotation_degrees();
        // ffmpeg swaps the sides for quarter turns (within a degree); any other angle keeps the frame's size.
        let quarter_turn = [90, 270].iter().any(|&angle| rotation.abs_diff(angle) < 1);
        Ok(if quarter_turn { (height, width, rotation) } else { (width, height, rotation) })
    }

    fn rotation_degrees(&self) -> u32 {
        let matrix = self.side_data_list.iter().find_map(|data| data.rotation);
        // A display matrix turns counter-clockwise, the older tag clockwise.
        let tag = || self.tags.get("rotate").and_then(|text| text.parse::<f64>().ok());
        let degrees = matrix.map(|degrees| -degrees).or_else(tag).unwrap_or(0.0);
        if degrees.is_finite() { degrees.round().rem_euclid(360.0) as u32 } else { 0 }
    }

    pub(super) fn time_base(&self, source_name: &str) -> Result<TimeBase> {
        self.time_base.as_deref().and_then(TimeBase::parse).ok_or_else(|| VideoError::NotAVideo {
            source_name: source_name.to_owned(),
            detail: "the video stream has no clock".to_owned(),
        })
    }

    pub(super) fn average_fps(&self) -> Option<f64> {
        parse_rate(self.avg_frame_rate.as_deref()).or_else(|| parse_rate(self.r_frame_rate.as_deref()))
    }

    pub(super) fn sample_aspect_ratio(&self) -> Option<String> {
        self.sample_aspect_ratio.clone().filter(|ratio| ratio != "1:1" && !ratio.starts_with("0:"))
    }
}

fn parse_secs(text: Option<&str>) -> Option<f64> {
    text?.parse::<f64>().ok().filter(|secs| secs.is_finite())
}

fn parse_rate(text: Option<&str>) -> Option<f64> {
    let (numerator, denominator) = text?.split_once('/')?;
    let rate = numerator.parse::<f64>().ok()? / denominator.parse::<f64>().ok()?;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}
