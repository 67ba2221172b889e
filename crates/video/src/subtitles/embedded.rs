use super::{MAX_SUBTITLE_BYTES, Subtitles, parse_subtitles};
use crate::decode::DecodeSettings;
use crate::error::{Result, VideoError};
use crate::probe::{SubtitleStream, VideoInfo};
use crate::process::{ToolCommand, run_to_end};

/// Reads the video's own text subtitles: the default stream, else the first. Times are in the video's clock.
///
/// # Errors
/// No subtitle stream; only bitmap streams, which hold pictures of text; a stream that ffmpeg cannot convert.
pub fn embedded_subtitles(info: &VideoInfo, settings: &DecodeSettings) -> Result<Subtitles> {
    let name = info.source.name();
    let stream = choose(&info.subtitle_streams)
        .map_err(|detail| VideoError::Subtitles { name: name.clone(), detail })?;
    let map = format!("0:{}", stream.stream_index);
    let command = ToolCommand::ffmpeg(&settings.tools, name.clone())
        .args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"])
        .args(info.source.input_args())
        .args(["-map", &map, "-c:s", "srt", "-f", "srt", "pipe:1"]);
    let output = run_to_end(command, settings.timeout, MAX_SUBTITLE_BYTES)?;
    let subtitles = parse_subtitles(&output.stdout);
    if subtitles.cues.is_empty() {
        let reason = if output.log.is_empty() { "it holds no text".to_owned() } else { output.log };
        let detail = format!("its {} subtitles cannot be read: {reason}", stream.codec);
        return Err(VideoError::Subtitles { name, detail });
    }
    Ok(subtitles)
}

fn choose(streams: &[SubtitleStream]) -> std::result::Result<&SubtitleStream, String> {
    let mut texts = streams.iter().filter(|stream| stream.is_text);
    let first = texts.next();
    let default = first.into_iter().chain(texts).find(|stream| stream.is_default);
    default.or(first).ok_or_else(|| match streams.first() {
        Some(bitmap) => format!(
            "its subtitles are pictures ({}), which cannot be read as text; pass a .srt or .vtt file instead",
            bitmap.codec
        ),
        None => "it has no subtitle stream; pass a .srt or .vtt file instead".to_owned(),
    })
}
