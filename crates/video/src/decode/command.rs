//! ffmpeg's command line for one run.

use super::DecodeSettings;
use crate::error::Result;
use crate::probe::{ClockPiece, VideoInfo, VideoStream};
use crate::process::{ToolCommand, Tools, run_to_end};
use crate::time::MediaTime;

/// What this ffmpeg understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// `-fps_mode` (5.1) instead of `-vsync`.
    has_fps_mode: bool,
    /// `showinfo=checksum=0` (4.4).
    has_checksum_option: bool,
    /// swscale interpolates rows of chroma on its way to RGB (8.0).
    has_exact_chroma_rows: bool,
}

impl Dialect {
    pub(super) fn detect(tools: &Tools, settings: &DecodeSettings) -> Result<Self> {
        let command = ToolCommand::ffmpeg(tools, "ffmpeg -version".to_owned()).args(["-version"]);
        let output = run_to_end(command, settings.timeout, 1 << 20)?;
        Ok(Self::of(&String::from_utf8_lossy(&output.stdout)))
    }

    /// From `ffmpeg version 5.1.9-0+deb12u1 ...`; a version that cannot be read is taken for a recent build.
    fn of(banner: &str) -> Self {
        let word = banner.split_whitespace().nth(2).unwrap_or_default();
        let mut numbers = word.trim_start_matches('n').split(|c: char| !c.is_ascii_digit());
        let mut number = || numbers.next().and_then(|digits| digits.parse::<u32>().ok());
        let version = number().map(|major| (major, number().unwrap_or(0)));
        let at_least = |wanted: (u32, u32)| version.is_none_or(|version| version >= wanted);
        Self {
            has_fps_mode: at_least((5, 1)),
            has_checksum_option: at_least((4, 4)),
            has_exact_chroma_rows: at_least((8, 0)),
        }
    }
}

/// How a decoded frame is told from another: by its time in the stream's ticks, or by counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKey {
    Ticks,
    Count,
}

/// One run of ffmpeg.
#[derive(Clone, Debug)]
pub(super) struct RunRequest {
    /// Where to seek; decoding begins at a keyframe near it. `None`: from the start.
    pub(super) seek: Option<MediaTime>,
    pub(super) key: FrameKey,
    /// Keys of the frames to output, strictly rising. Empty: output nothing, only log what is decoded.
    pub(super) wanted: Vec<i64>,
    /// Decoding ends after the frame with this key.
    pub(super) last: i64,
    /// Leave out frames that no other is predicted from.
    pub(super) references_only: bool,
}

pub(super) fn command(
    info: &VideoInfo,
    stream: &VideoStream,
    settings: &DecodeSettings,
    dialect: Dialect,
    request: &RunRequest,
) -> ToolCommand {
    let mut command = ToolCommand::ffmpeg(&settings.tools, info.source.name()).args([
        "-hide_banner",
        "-nostdin",
        "-nostats",
        "-loglevel",
        "level+info",
        "-copyts",
    ]);
    if let Some(seek) = request.seek {
        let secs = format!("{:.6}", seek.max(MediaTime::ZERO).secs());
        command = command.args(["-noaccurate_seek", "-ss", &secs]);
    }
    if request.references_only {
        command = command.args(["-skip_frame", "noref"]);
    }
    let threads = settings.threads.to_string();
    let max_pixels = info.max_pixels.min(i64::MAX as u64).to_string();
    let map = format!("0:{}", stream.index);
    let pixels = settings.colour.filters(&stream.picture, dialect.has_exact_chroma_rows)
        + &stream.picture.orientation.filters();
    let clock = match request.key {
        FrameKey::Ticks => clock_filter(&stream.pieces),
        FrameKey::Count => String::new(),
    };
    let filters = clock + &filters(&pixels, dialect, request);
    command = command
        .args(["-threads", &threads, "-max_pixels", &max_pixels, "-noautorotate"])
        .args(info.source.input_args())
        .args(["-map", &map, "-an", "-sn", "-dn", "-vf", &filters])
        .args([if dialect.has_fps_mode { "-fps_mode" } else { "-vsync" }, "passthrough"]);
    if request.wanted.is_empty() {
        command.args(["-f", "null", "-"])
    } else {
        command.args(["-c:v", "rawvideo", "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"])
    }
}

/// Gives frames the times of the probe where the stream's clock jumps: each belongs to the first piece, from that of the frame
/// before on, that holds its time; where times go back, to a later one. Empty where the clock runs on.
fn clock_filter(pieces: &[ClockPiece]) -> String {
    if pieces.is_empty() {
        return String::new();
    }
    let (mut choices, mut ends) = (String::new(), String::new());
    for (k, ClockPiece { first, last, shift }) in pieces.iter().enumerate() {
        choices += &format!("if(lte(ld(1),{k})*between(PTS,{first},{last}),st(0,{k})*0+({shift}),");
        ends.push(')');
    }
    format!("setpts='st(1,ld(0)+lt(PTS,PREV_INPTS));PTS+{choices}0/0{ends}',")
}

/// `showinfo` comes first: it logs every decoded frame, so that what is output is known, not assumed. `pixels` takes frames of
/// any size to RGB of one; pictures are turned upright after that, as chroma lies where it was stored.
fn filters(pixels: &str, dialect: Dialect, request: &RunRequest) -> String {
    let showinfo = if dialect.has_checksum_option { "showinfo=checksum=0" } else { "showinfo" };
    let end = request.last.saturating_add(1);
    let (variable, trim) = match request.key {
        FrameKey::Ticks => ("pts", format!("trim=end_pts={end}")),
        FrameKey::Count => ("n", format!("trim=end_frame={end}")),
    };
    if request.wanted.is_empty() {
        return format!("{showinfo},{trim}");
    }
    let select = is_one_of(variable, &request.wanted);
    format!("{showinfo},{trim},select='{select}',{pixels}")
}

/// An expression that is 1 if the variable equals one of the sorted values: a balanced tree of comparisons, so that a
/// frame costs few of them however many are wanted.
fn is_one_of(variable: &str, sorted: &[i64]) -> String {
    match sorted {
        [] => "0".to_owned(),
        [only] => format!("eq({variable},{only})"),
        _ => {
            let (low, high) = sorted.split_at(sorted.len() / 2);
            format!(
                "if(lt({variable},{}),{},{})",
                high[0],
                is_one_of(variable, low),
                is_one_of(variable, high)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_ffmpeg() {
        let of = |version: &str| {
            let dialect = Dialect::of(&format!("ffmpeg version {version} Copyright (c)"));
            (dialect.has_fps_mode, dialect.has_checksum_option, dialect.has_exact_chroma_rows)
        };
        assert_eq!(of("5.1.9-0+deb12u1"), (true, true, false));
        assert_eq!(of("4.4.2-0ubuntu0.22.04.1"), (false, true, false));
        assert_eq!(of("4.2.7-0ubuntu0.1"), (false, false, false));
        assert_eq!(of("n7.1"), (true, true, false));
        assert_eq!(of("8.0.1"), (true, true, true));
        assert_eq!(of("N-109542-g1bf1c7b"), (true, true, true));
        assert_eq!(of(""), (true, true, true));
    }

    #[test]
    fn the_clock_of_joined_recordings_is_unrolled_by_a_filter() {
        assert_eq!(clock_filter(&[]), "");
        let piece = |first, last, shift| ClockPiece { first, last, shift };
        assert_eq!(
            clock_filter(&[piece(10, 40, 0), piece(5, 35, 45)]),
            "setpts='st(1,ld(0)+lt(PTS,PREV_INPTS));PTS+if(lte(ld(1),0)*between(PTS,10,40),st(0,0)*0+(0),\
             if(lte(ld(1),1)*between(PTS,5,35),st(0,1)*0+(45),0/0))',"
        );
    }

    #[test]
    fn the_expression_is_a_balanced_tree_that_fits_one_argument() {
        assert_eq!(is_one_of("pts", &[5]), "eq(pts,5)");
        assert_eq!(is_one_of("n", &[1, 2, 9]), "if(lt(n,2),eq(n,1),if(lt(n,9),eq(n,2),eq(n,9)))");
        let long: Vec<i64> = (0..2048).map(|k| 1_000_000_000_000 + k * 40_000_000).collect();
        assert!(is_one_of("pts", &long).len() < 120_000);
    }
}
