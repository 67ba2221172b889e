//! The container's header, as ffprobe prints it in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::orientation::Orientation;
use super::picture::StoredPicture;
use super::{ProbeSettings, failure, mp4};
use crate::error::{Result, VideoError};
use crate::process::{ToolCommand, run_to_end};
use crate::source::VideoSource;
use crate::still::PictureFormat;
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
    pub(super) color_space: Option<String>,
    pub(super) color_range: Option<String>,
    chroma_location: Option<String>,
    field_order: Option<String>,
    nb_frames: Option<String>,
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
    displaymatrix: Option<String>,
}

pub(super) fn read_header(source: &VideoSource, settings: &ProbeSettings) -> Result<Header> {
    let name = source.name();
    let command = ToolCommand::ffprobe(&settings.tools, name.clone())
        .args(["-hide_banner", "-v", "error", "-print_format", "json", "-show_format", "-show_streams"])
        .args(source.input_args());
    let output = run_to_end(command, settings.timeout, MAX_HEADER_BYTES)?;
    if !output.status.success() {
        return Err(failure::explain(source, output.log));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| VideoError::NotAVideo {
        source_name: name,
        detail: format!("ffprobe's answer could not be understood ({error})"),
    })
}

impl Header {
    /// The default video stream, else the first; cover art is not video, and neither is the single picture that an animation
    /// shows where it is not played (newer ffmpegs list that of an AVIF first).
    ///
    /// Pictures that newer ffmpegs list as tiles of a larger one are refused: one tile would be taken for the whole.
    pub(super) fn choose_video(&self, source: &VideoSource) -> Result<&Stream> {
        if self.videos().any(|stream| stream.has_disposition("dependent")) {
            return Err(VideoError::NotAVideo {
                source_name: source.name(),
                detail: "its picture is stored in tiles, which are not put together here; convert it, to JPEG for example"
                    .to_owned(),
            });
        }
        let moves = self.videos().any(|stream| stream.frames().is_some_and(|frames| frames > 1));
        let videos = || self.videos().filter(|stream| !(moves && stream.frames() == Some(1)));
        let default = videos().find(|stream| stream.has_disposition("default"));
        default.or_else(|| videos().next()).ok_or_else(|| {
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

    pub(super) fn warnings(&self, chosen: &Stream, source: &VideoSource) -> Vec<String> {
        let count = self.videos().count();
        let several = (count > 1)
            .then(|| format!("the file has {count} video streams; stream {} is used", chosen.index));
        let untold = chosen.orientation() == Orientation::default()
            && source.path().is_some_and(|path| {
                PictureFormat::of_file(path).is_some_and(PictureFormat::is_for_ffmpeg)
                    && mp4::turns_a_picture(path)
            });
        let untold = untold.then(|| {
            "the picture is stored turned or mirrored, and this ffmpeg does not say how: it is shown as it is stored".to_owned()
        });
        several.into_iter().chain(untold).chain(not_followed(chosen)).collect()
    }

    /// Broadcasts and their recordings, whose clock restarts where a recorder does.
    pub(super) fn clock_may_jump(&self) -> bool {
        matches!(self.format_name().as_str(), "mpegts" | "mpeg")
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

    /// What the header says of their number.
    fn frames(&self) -> Option<u64> {
        self.nb_frames.as_deref()?.parse().ok()
    }

    /// How its pictures are stored.
    pub(super) fn picture(&self, source_name: &str, max_pixels: u64) -> Result<StoredPicture> {
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
        Ok(StoredPicture {
            width,
            height,
            pixel_format: self.pix_fmt.clone(),
            range: self.color_range.clone().filter(|range| matches!(range.as_str(), "tv" | "pc")),
            chroma_location: self.chroma_location.clone(),
            is_interlaced: self.field_order().is_some_and(|order| order != "progressive"),
            orientation: self.orientation(),
        })
    }

    fn orientation(&self) -> Orientation {
        let matrix = self.side_data_list.iter().find_map(|data| data.displaymatrix.as_deref());
        let angle = self.side_data_list.iter().find_map(|data| data.rotation);
        // A display matrix turns counter-clockwise, the older tag clockwise.
        let tag = || self.tags.get("rotate").and_then(|text| text.parse::<f64>().ok());
        let turned = || Orientation::turned(angle.map(|degrees| -degrees).or_else(tag).unwrap_or(0.0));
        matrix.and_then(Orientation::from_matrix).unwrap_or_else(turned)
    }

    /// Whether its packets may hold single fields: ffprobe says of most frames that they are whole.
    pub(super) fn may_be_fields(&self) -> bool {
        self.codec_name.as_deref() == Some("h264") && self.field_order() != Some("progressive")
    }

    /// As ffprobe names it: `progressive`, `tt`, `bb`, `tb` or `bt`.
    pub(super) fn field_order(&self) -> Option<&str> {
        self.field_order.as_deref().filter(|order| *order != "unknown")
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

/// What a stream says of its pictures, and is not done to them.
fn not_followed(stream: &Stream) -> impl Iterator<Item = String> {
    let hdr = match stream.color_transfer.as_deref() {
        Some("smpte2084") => Some("PQ, smpte2084"),
        Some("arib-std-b67") => Some("HLG, arib-std-b67"),
        _ => None,
    };
    let hdr = hdr.map(|transfer| {
        format!("the video is HDR ({transfer}) and is not tone-mapped: its pictures look greyer than they are meant to")
    });
    let squeezed = stream.sample_aspect_ratio().map(|ratio| {
        format!(
            "the video's pixels are not square ({ratio}): its pictures are as they are stored, not stretched"
        )
    });
    let fields = stream.field_order().filter(|order| *order != "progressive").map(|order| {
        format!("the video is interlaced ({order}) and is not deinterlaced: a frame shows both of its fields")
    });
    [hdr, squeezed, fields].into_iter().flatten()
}

fn parse_secs(text: Option<&str>) -> Option<f64> {
    text?.parse::<f64>().ok().filter(|secs| secs.is_finite())
}

fn parse_rate(text: Option<&str>) -> Option<f64> {
    let (numerator, denominator) = text?.split_once('/')?;
    let rate = numerator.parse::<f64>().ok()? / denominator.parse::<f64>().ok()?;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn chosen(streams: Value) -> Result<u32> {
        let header: Header = serde_json::from_value(json!({ "streams": streams })).unwrap();
        header.choose_video(&VideoSource::File("a".into())).map(|stream| stream.index)
    }

    fn video(index: u32, frames: Option<&str>, disposition: Value) -> Value {
        json!({ "index": index, "codec_type": "video", "nb_frames": frames, "disposition": disposition })
    }

    /// As ffmpeg 7 and later list an animated AVIF: first what is shown where it is not played.
    #[test]
    fn of_an_animation_the_stream_with_frames_is_the_video() {
        let default = || json!({ "default": 1 });
        let animation = json!([video(0, Some("1"), default()), video(1, Some("5"), default())]);
        assert_eq!(chosen(animation).unwrap(), 1);
        assert_eq!(chosen(json!([video(0, Some("1"), default())])).unwrap(), 0);
        assert_eq!(chosen(json!([video(0, None, json!({})), video(1, Some("9"), default())])).unwrap(), 1);
        assert_eq!(
            chosen(json!([video(0, Some("9"), json!({})), video(1, Some("9"), json!({}))])).unwrap(),
            0
        );
    }

    #[test]
    fn a_tile_is_not_taken_for_a_picture() {
        let tile = |index| video(index, Some("1"), json!({ "dependent": 1 }));
        let error =
            chosen(json!([tile(0), tile(1), video(2, Some("1"), json!({}))])).unwrap_err().to_string();
        assert!(error.contains("stored in tiles"), "{error}");
    }
}
