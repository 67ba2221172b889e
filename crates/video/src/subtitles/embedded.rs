use longsight_text::TextEncoding;

use super::{MAX_SUBTITLE_BYTES, SubtitleTrack, Subtitles, parse_subtitles};
use crate::decode::DecodeSettings;
use crate::error::{Result, VideoError};
use crate::probe::VideoInfo;
use crate::process::{ToolCommand, run_to_end};

/// Reads one of the video's own text subtitles. Times are in the video's clock.
///
/// # Errors
/// No such stream; only bitmap streams, which hold pictures of text; a stream that ffmpeg cannot convert.
pub fn embedded_subtitles(
    info: &VideoInfo,
    track: &SubtitleTrack,
    settings: &DecodeSettings,
) -> Result<Subtitles> {
    let name = info.source.name();
    let (stream, choice) = track
        .choose(&info.subtitle_streams)
        .map_err(|detail| VideoError::Subtitles { name: name.clone(), detail })?;
    let map = format!("0:{}", stream.stream_index);
    let [codec, format] = output_format(&stream.codec);
    let command = ToolCommand::ffmpeg(&settings.tools, name.clone())
        .args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"])
        .args(info.source.input_args())
        .args(["-map", &map, "-c:s", codec, "-f", format, "pipe:1"]);
    let output = run_to_end(command, settings.timeout, MAX_SUBTITLE_BYTES)?;
    // ffmpeg writes UTF-8, whatever the stream holds.
    let mut subtitles = parse_subtitles(&output.stdout, Some(TextEncoding::UTF_8));
    if subtitles.cues.is_empty() {
        let reason = if output.log.is_empty() { "it holds no text".to_owned() } else { output.log };
        let detail = format!("its {} subtitles cannot be read: {reason}", stream.codec);
        return Err(VideoError::Subtitles { name, detail });
    }
    subtitles.reading.stream_index = Some(stream.stream_index);
    subtitles.reading.language.clone_from(&stream.language);
    subtitles.reading.choice = choice;
    Ok(subtitles)
}

/// ffmpeg's encoder and format: as they are where they are read here; its conversion to SubRip would make words of ASS's
/// drawings, and lose the times inside WebVTT's captions.
fn output_format(codec: &str) -> [&'static str; 2] {
    match codec {
        "ass" | "ssa" => ["copy", "ass"],
        "webvtt" => ["copy", "webvtt"],
        _ => ["srt", "srt"],
    }
}
