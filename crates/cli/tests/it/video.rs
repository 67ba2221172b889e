//! Videos made once a test run, and variants of them.

use longsight_testkit::SyntheticVideo;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// 3 s at 10 frames a second, 64x48, H.264 in MP4, a keyframe a second.
pub fn clip() -> &'static Path {
    static CLIP: OnceLock<PathBuf> = OnceLock::new();
    CLIP.get_or_init(|| {
        let path = scratch().join("clip.mp4");
        // Complete under a name of its own first: another test process may be reading.
        let making = scratch().join(format!("clip-{}.mp4", std::process::id()));
        let video =
            SyntheticVideo { seconds: 3.0, width: 64, height: 48, keyframe_secs: 1.0, ..Default::default() };
        video.write(&making).unwrap();
        std::fs::rename(&making, &path).unwrap();
        path
    })
}

fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The clip's bytes.
pub fn clip_bytes() -> Vec<u8> {
    std::fs::read(clip()).unwrap()
}

/// Runs ffmpeg; the arguments are separated by spaces, `{}` stands for each of `paths` in order.
#[track_caller]
pub fn ffmpeg(arguments: &str, paths: &[&Path]) {
    let mut paths = paths.iter();
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
    for argument in arguments.split_whitespace() {
        match argument {
            "{}" => command.arg(paths.next().unwrap()),
            _ => command.arg(argument),
        };
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A file of these bytes in a folder of its own.
pub fn file(name: &str, bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The clip with its index whole and every picture overwritten.
pub fn damaged_pictures() -> Vec<u8> {
    let mut bytes = clip_bytes();
    let position = |bytes: &[u8], name: &[u8]| bytes.windows(4).position(|w| w == name).unwrap();
    let start = position(&bytes, b"mdat") + 4;
    let end = position(&bytes, b"moov") - 4;
    assert!(start < end, "ffmpeg writes the index last");
    bytes[start..end].fill(0x55);
    bytes
}
