//! Small videos whose frames carry their own number, readable from the pixels.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use longsight_video::{
    DecodeSettings, DecodeStrategy, Frame, FrameBudget, ProbeSettings, SampleSettings, VideoInfo,
    VideoSource, open_frames, probe, sample,
};

/// Bits of the frame number; each is a vertical bar, its complement below it.
const BITS: usize = 10;

pub(crate) struct Clip<'a> {
    pub(crate) frames: usize,
    pub(crate) fps: &'a str,
    pub(crate) size: (usize, usize),
    /// ffmpeg's output options.
    pub(crate) args: &'a [&'a str],
}

impl Default for Clip<'_> {
    fn default() -> Self {
        Self { frames: 60, fps: "10", size: (160, 64), args: &H264 }
    }
}

pub(crate) const H264: [&str; 10] =
    ["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "12", "-pix_fmt", "yuv420p"];

pub(crate) fn encode(path: &Path, clip: &Clip) -> PathBuf {
    let (width, height) = clip.size;
    let size = format!("{width}x{height}");
    let mut child = Command::new("ffmpeg")
        .args([
            "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size, "-r", clip.fps, "-i",
            "pipe:0",
        ])
        .args(clip.args)
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for number in 0..clip.frames {
        stdin.write_all(&numbered(number, width, height)).unwrap();
    }
    drop(stdin);
    assert!(child.wait().unwrap().success(), "ffmpeg could not make {}", path.display());
    path.to_owned()
}

/// A video on disk, as long as this lives.
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) info: VideoInfo,
    _folder: tempfile::TempDir,
}

pub(crate) fn made(name: &str, clip: &Clip) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let path = encode(&folder.path().join(name), clip);
    // A single picture is no video, but is needed to make some.
    let info = if name.ends_with(".png") { probe_folder(folder.path()) } else { probe_file(&path) };
    Made { name: name.to_owned(), path, info, _folder: folder }
}

fn probe_folder(folder: &Path) -> VideoInfo {
    probe(&VideoSource::Images(folder.to_owned()), &ProbeSettings::default()).unwrap()
}

/// Runs ffmpeg to its end.
pub(crate) fn ffmpeg(args: &[&str]) -> Result<(), String> {
    let output = Command::new("ffmpeg").args(["-y", "-v", "error", "-nostdin"]).args(args).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The option that sends frames on with the times they have: `-vsync` is gone in ffmpeg 9, `-fps_mode` new in 5.1.
pub(crate) fn frame_rate_option() -> &'static str {
    let output = Command::new("ffmpeg").args(["-v", "quiet", "-h", "long"]).output().unwrap();
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    if help.contains("-fps_mode") { "-fps_mode" } else { "-vsync" }
}

pub(crate) fn has_encoder(name: &str) -> bool {
    let output = Command::new("ffmpeg").args(["-hide_banner", "-v", "quiet", "-encoders"]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == name)
}

pub(crate) fn numbered(number: usize, width: usize, height: usize) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let bit = (number >> (x * BITS / width)) & 1 == 1;
            let level = if bit == (y * 2 < height) { 235 } else { 20 };
            rgb.extend([level; 3]);
        }
    }
    rgb
}

/// The number that a decoded frame carries.
pub(crate) fn number_of(frame: &Frame) -> usize {
    read_number(&frame.rgb, frame.width as usize, frame.height as usize)
        .expect("a frame without a readable number")
}

fn read_number(rgb: &[u8], width: usize, height: usize) -> Option<usize> {
    let level = |bit: usize, y: usize| rgb[(y * width + (2 * bit + 1) * width / (2 * BITS)) * 3];
    let mut number = 0;
    for bit in 0..BITS {
        let (above, below) = (level(bit, height / 4), level(bit, height * 3 / 4));
        if above.abs_diff(below) < 80 {
            return None;
        }
        number |= usize::from(above > below) << bit;
    }
    Some(number)
}

pub(crate) fn probe_file(path: &Path) -> VideoInfo {
    probe(&VideoSource::from_path(path), &ProbeSettings::default()).unwrap()
}

pub(crate) fn uniform(frames: usize) -> SampleSettings {
    SampleSettings { budget: FrameBudget::Uniform { frames }, ..SampleSettings::default() }
}

pub(crate) fn decode(info: &VideoInfo, settings: &SampleSettings) -> Vec<Frame> {
    let plan = sample(info, settings).unwrap();
    let frames: Vec<Frame> =
        open_frames(info, &plan, &DecodeSettings::default()).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(frames.len(), plan.frames.len());
    for (frame, planned) in frames.iter().zip(&plan.frames) {
        assert_eq!((frame.ordinal, frame.index, frame.time), (planned.ordinal, planned.index, planned.time));
        assert_eq!(frame.rgb.len(), frame.width as usize * frame.height as usize * 3);
    }
    frames
}

/// Decodes both ways; asserts that the bytes are the same and that each frame carries the number `expected(index)`.
pub(crate) fn assert_exact(info: &VideoInfo, frames: usize, expected: impl Fn(usize) -> usize) {
    let with = |strategy| decode(info, &SampleSettings { strategy: Some(strategy), ..uniform(frames) });
    let sequential = with(DecodeStrategy::Sequential);
    for frame in &sequential {
        assert_eq!(frame.replaced_from, None, "{frame:?}");
        assert_eq!(number_of(frame), expected(frame.index), "{frame:?}");
    }
    assert!(sequential == with(DecodeStrategy::Seek), "seeking gives other bytes");
}
