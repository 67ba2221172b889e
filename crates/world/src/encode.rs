//! Pictures to a video file, through one ffmpeg.

use crate::ffmpeg::{Child, ffmpeg_command};
use crate::files;
use crate::names::named;
use crate::render::Renderer;
use crate::script::VideoScript;
use crate::{Result, WorldError};
use longsight_video::Tools;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a video is coded. The container is MP4 for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264, by libx264.
    H264,
    /// H.265, by libx265.
    Hevc,
    /// VP9, by libvpx.
    Vp9,
    /// MPEG-4 part 2, ffmpeg's own.
    Mpeg4,
}

named!(Codec, "codec", { H264 => "h264", Hevc => "hevc", Vp9 => "vp9", Mpeg4 => "mpeg4" });

impl Codec {
    /// ffmpeg's name of the encoder.
    pub fn encoder(self) -> &'static str {
        match self {
            Self::H264 => "libx264",
            Self::Hevc => "libx265",
            Self::Vp9 => "libvpx-vp9",
            Self::Mpeg4 => "mpeg4",
        }
    }

    /// Fast, small enough for hours, and sharp enough for digits. One thread: the bytes do not depend on the machine's
    /// cores.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::H264 => &["-preset", "ultrafast", "-crf", "28"],
            Self::Hevc => &[
                "-preset",
                "ultrafast",
                "-crf",
                "30",
                "-tag:v",
                "hvc1",
                "-x265-params",
                "log-level=error:pools=none:frame-threads=1",
            ],
            Self::Vp9 => &["-deadline", "realtime", "-cpu-used", "8", "-crf", "38", "-b:v", "0"],
            Self::Mpeg4 => &["-q:v", "7"],
        }
    }
}

/// Renders a script into a video file: to a temporary name first, then renamed. `progress` hears how many frames are
/// done, about every hundred.
///
/// # Errors
/// ffmpeg is missing or fails; the file cannot be written.
pub fn encode(
    script: &VideoScript,
    codec: Codec,
    tools: &Tools,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let partial = files::partial_name(path);
    let result = encode_to(script, codec, tools, &partial, progress);
    match result {
        Ok(()) => files::rename(&partial, path),
        Err(error) => {
            // What is half made helps nobody; that it cannot be removed matters less than the error.
            let _ = std::fs::remove_file(&partial);
            Err(error)
        }
    }
}

fn encode_to(
    script: &VideoScript,
    codec: Codec,
    tools: &Tools,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let mut child = Child::start(command(script, codec, tools, path), format!("writing {}", path.display()))?;
    let mut renderer = Renderer::new(script, tools);
    for index in 0..script.frames {
        let picture = renderer.frame(index)?;
        let written = match &mut child.stdin {
            Some(stdin) => stdin.write_all(picture.rgb()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        written.map_err(|error| child.failed(&error))?;
        if index % 100 == 99 {
            progress(index + 1);
        }
    }
    child.finish()?;
    progress(script.frames);
    Ok(())
}

fn command(script: &VideoScript, codec: Codec, tools: &Tools, path: &Path) -> Command {
    let rate = script.frame_rate.to_string();
    // A keyframe every few seconds, as films have them.
    let keyframes = script.frame_rate.frames_in(4.0).max(1).to_string();
    let mut command = ffmpeg_command(tools);
    command
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size"])
        .arg(format!("{}x{}", script.width, script.height))
        .args(["-framerate", &rate, "-i", "pipe:0", "-an", "-c:v", codec.encoder()])
        .args(codec.arguments())
        .args(["-g", &keyframes, "-threads", "1", "-pix_fmt", "yuv420p"])
        .args(["-fflags", "+bitexact", "-flags:v", "+bitexact", "-movflags", "+faststart", "-f", "mp4"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    command
}

/// What the installed ffmpeg can do.
pub(crate) struct Abilities(String);

impl Abilities {
    /// Asks ffmpeg.
    pub(crate) fn of(tools: &Tools) -> Result<Self> {
        let ask = |what: &str| {
            let output = Command::new(&tools.ffmpeg)
                .args(["-hide_banner", "-nostdin", what])
                .stdin(Stdio::null())
                .output()
                .map_err(|error| {
                    let program = tools.ffmpeg.display();
                    WorldError::ffmpeg("listing its abilities", format!("{program}: {error}; install ffmpeg"))
                })?;
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        Ok(Self(ask("-encoders")? + &ask("-filters")?))
    }

    /// Whether an encoder or a filter of that name is there: the second word of its line.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.lines().any(|line| line.split_whitespace().nth(1) == Some(name))
    }
}
