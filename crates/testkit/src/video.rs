//! Synthetic videos by ffmpeg, for tests, the demo and benchmarks. Every frame differs from its neighbours.

use std::path::Path;
use std::process::{Command, Stdio};

/// Video codecs that are commonly built into ffmpeg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// libx264.
    H264,
    /// libx265.
    Hevc,
    /// libvpx-vp9.
    Vp9,
    /// libaom or SVT, whichever is there.
    Av1,
    /// MPEG-4 part 2: fast, always there.
    Mpeg4,
}

impl Codec {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::H264 => &["-c:v", "libx264", "-preset", "ultrafast", "-crf", "38"],
            Self::Hevc => &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error"],
            Self::Vp9 => &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"],
            Self::Av1 => &["-c:v", "libsvtav1", "-preset", "12"],
            Self::Mpeg4 => &["-c:v", "mpeg4", "-q:v", "6"],
        }
    }
}

/// A video to be made. The container follows the path's extension.
#[derive(Clone, Debug)]
pub struct SyntheticVideo {
    /// Length; rounded to whole frames.
    pub seconds: f64,
    /// Frames a second.
    pub fps: u32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// How it is coded.
    pub codec: Codec,
    /// Seconds between keyframes.
    pub keyframe_secs: f64,
    /// With a sine tone as a second stream.
    pub audio: bool,
    /// Encode this many seconds only and repeat them without re-encoding: an hour of 1080p in seconds. Ignored
    /// where it is not shorter than the video.
    pub segment_secs: Option<f64>,
}

impl Default for SyntheticVideo {
    fn default() -> Self {
        Self {
            seconds: 10.0,
            fps: 10,
            width: 320,
            height: 180,
            codec: Codec::H264,
            keyframe_secs: 2.0,
            audio: false,
            segment_secs: None,
        }
    }
}

impl SyntheticVideo {
    /// One hour of 1080p H.264, 10 frames a second, a keyframe every 10 seconds, one minute of content repeated.
    pub fn one_hour_1080p() -> Self {
        Self {
            seconds: 3600.0,
            width: 1920,
            height: 1080,
            keyframe_secs: 10.0,
            segment_secs: Some(60.0),
            ..Self::default()
        }
    }

    /// Makes the file, replacing one that is there. The error is ffmpeg's own message.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        match self.segment_secs {
            Some(segment) if segment < self.seconds => self.write_repeated(segment, path),
            _ => self.encode(self.seconds, path),
        }
    }

    fn encode(&self, seconds: f64, path: &Path) -> Result<(), String> {
        let fps = f64::from(self.fps);
        let frames = (seconds * fps).round().max(1.0);
        let length = frames / fps;
        let mut command = ffmpeg();
        command.args(["-f", "lavfi", "-i"]);
        command.arg(self.pattern(length));
        if self.audio {
            command.args(["-f", "lavfi", "-i", &format!("sine=frequency=440:duration={length}")]);
        }
        let keyframe_frames = (self.keyframe_secs * fps).round().max(1.0);
        command.args(["-frames:v", &frames.to_string(), "-pix_fmt", "yuv420p"]).args(self.codec.arguments());
        command.args(["-g", &keyframe_frames.to_string()]);
        if self.codec == Codec::H264 {
            // Or a scene cut would add keyframes of its own.
            command.args(["-keyint_min", &keyframe_frames.to_string(), "-sc_threshold", "0"]);
        }
        run(command.arg(path))
    }

    /// ffmpeg's moving test pattern. Large frames are enlarged small ones, or an hour would take gigabytes.
    fn pattern(&self, length_secs: f64) -> String {
        let (width, height, fps) = (self.width, self.height, self.fps);
        let shrink = if width < 1280 { 1 } else { 4 };
        let (drawn_width, drawn_height) = ((width / shrink).max(2), (height / shrink).max(2));
        let drawn = format!("testsrc2=size={drawn_width}x{drawn_height}:rate={fps}:duration={length_secs}");
        format!("{drawn},scale={width}:{height}:flags=neighbor")
    }

    fn write_repeated(&self, segment_secs: f64, path: &Path) -> Result<(), String> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("mp4");
        let segment = path.with_extension(format!("segment.{extension}"));
        self.encode(segment_secs, &segment)?;
        let repeats = (self.seconds / segment_secs).ceil() - 1.0;
        let mut command = ffmpeg();
        command.args(["-stream_loop", &repeats.to_string(), "-i"]).arg(&segment);
        command.args(["-t", &self.seconds.to_string(), "-c", "copy"]).arg(path);
        let result = run(&mut command);
        std::fs::remove_file(&segment).map_err(|e| format!("{}: {e}", segment.display()))?;
        result
    }
}

fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let output =
        command.stdin(Stdio::null()).output().map_err(|e| format!("ffmpeg cannot be started: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ffmpeg: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Presentation time and keyframe flag of each video packet.
    fn packets(path: &Path) -> Vec<(f64, bool)> {
        let mut command = Command::new("ffprobe");
        command.args([
            "-v",
            "error",
            "-select_streams",
            "v:0",
            "-show_entries",
            "packet=pts_time,flags",
            "-of",
            "csv=p=0",
        ]);
        let output = command.arg(path).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let parse = |line: &str| {
            let (time, flags) = line.split_once(',').unwrap();
            (time.parse().unwrap(), flags.starts_with('K'))
        };
        text.lines().map(parse).collect()
    }

    #[test]
    fn repeated_segments_have_continuous_times() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        let video = SyntheticVideo { seconds: 12.0, segment_secs: Some(4.0), ..Default::default() };
        video.write(&path).unwrap();
        let packets = packets(&path);
        assert_eq!(packets.len(), 120);
        for (i, (time, keyframe)) in packets.iter().enumerate() {
            assert!((time - i as f64 / 10.0).abs() < 1e-3, "packet {i} at {time}");
            assert_eq!(*keyframe, i % 20 == 0, "packet {i}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the segment is removed");
    }

    #[test]
    fn every_frame_of_a_segment_differs_even_enlarged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mkv");
        SyntheticVideo { seconds: 2.0, width: 1280, height: 720, ..Default::default() }.write(&path).unwrap();
        let hashes = ffmpeg().arg("-i").arg(&path).args(["-f", "framemd5", "-"]).output().unwrap().stdout;
        let hashes = String::from_utf8(hashes).unwrap();
        let frames: Vec<&str> =
            hashes.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.rsplit(',').next()).collect();
        let distinct: std::collections::BTreeSet<&&str> = frames.iter().collect();
        assert_eq!((frames.len(), distinct.len()), (20, 20));
    }

    #[test]
    fn an_unknown_container_is_an_error_with_ffmpegs_message() {
        let folder = tempfile::tempdir().unwrap();
        let message = SyntheticVideo::default().write(&folder.path().join("a.nothing")).unwrap_err();
        assert!(message.starts_with("ffmpeg: "), "{message}");
    }
}
