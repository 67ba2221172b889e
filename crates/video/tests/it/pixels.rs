//! Which bytes a frame has: PyAV's by default, and upright.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use longsight_video::{Colour, DecodeSettings, Frame, VideoInfo, open_frames, sample};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::synth::{Clip, ffmpeg, has_encoder, made, probe_file, uniform};

/// Made by tools/pixels/golden.py.
const PYAV: &str = include_str!("../data/pyav_rgb.json");

fn first_frame(info: &VideoInfo, colour: Colour) -> Frame {
    let plan = sample(info, &uniform(1)).unwrap();
    let settings = DecodeSettings { colour, ..Default::default() };
    open_frames(info, &plan, &settings).unwrap().next().unwrap().unwrap()
}

/// The planes of golden.py's pictures.
fn samples(pixel_format: &str, width: usize, height: usize) -> Vec<u8> {
    let bits = if pixel_format.contains("p10") {
        10
    } else if pixel_format.contains("p12") {
        12
    } else {
        8
    };
    let mut bytes = Vec::new();
    for plane in 0..3 {
        let halves = |size: usize, halved: bool| if plane > 0 && halved { size.div_ceil(2) } else { size };
        let (columns, rows) =
            (halves(width, !pixel_format.contains("444")), halves(height, pixel_format.contains("420")));
        for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
            let level = (31 * y + 17 * x + 5 * x * y + 61 * plane) * (1 << (bits - 8)) + 3 * x + y;
            let level = (level % (1 << bits)) as u16;
            if bits > 8 { bytes.extend(level.to_le_bytes()) } else { bytes.push(level as u8) }
        }
    }
    bytes
}

/// One picture, stored without loss.
fn encode(path: &Path, case: &Value) -> PathBuf {
    let text = |key: &str| case[key].as_str().unwrap();
    let (width, height) = (case["width"].as_u64().unwrap(), case["height"].as_u64().unwrap());
    let tags = format!("setparams=range={}:colorspace={}", text("range"), text("matrix"));
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", text("pixel_format")])
        .args(["-s", &format!("{width}x{height}"), "-r", "1", "-i", "pipe:0", "-vf", &tags])
        .args(["-chroma_sample_location", text("chroma_location"), "-c:v", "ffv1"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let picture = samples(text("pixel_format"), width as usize, height as usize);
    child.stdin.take().unwrap().write_all(&picture).unwrap();
    assert!(child.wait().unwrap().success());
    path.to_owned()
}

/// swscale's vector code is another one on other machines.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_default_bytes_are_those_of_pyav() {
    let folder = tempfile::tempdir().unwrap();
    let golden: Value = serde_json::from_str(PYAV).unwrap();
    let mut wrong = Vec::new();
    for case in golden["cases"].as_array().unwrap() {
        let info = probe_file(&encode(&folder.path().join("a.mkv"), case));
        assert_eq!(info.pixel_format.as_deref(), case["pixel_format"].as_str());
        assert_eq!(info.color_range.as_deref(), case["range"].as_str());
        let rgb = first_frame(&info, Colour::default()).rgb;
        let is_right = match case["rgb"].as_str() {
            Some(expected) => {
                let expected =
                    (0..rgb.len()).map(|i| u8::from_str_radix(&expected[2 * i..][..2], 16).unwrap());
                rgb.iter().zip(expected).all(|(level, expected)| level.abs_diff(expected) <= 3)
            }
            None => {
                case["sha256_rgb"]
                    == Sha256::digest(&rgb).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
            }
        };
        if !is_right {
            wrong.push(case);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// What `ffmpeg` makes of the first frame with a filter.
fn filtered(path: &Path, filter: &str) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-noautorotate", "-i"])
        .arg(path)
        .args(["-vf", filter, "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{filter}");
    output.stdout
}

#[test]
fn eight_bits_are_swscale_without_flags_and_accurate_is_another_conversion() {
    for pixel_format in ["yuv420p", "yuv422p", "yuv444p"] {
        let args = ["-c:v", "libx264", "-qp", "10", "-vf", "noise=alls=60", "-pix_fmt", pixel_format];
        let made = made("a.mp4", &Clip { frames: 2, args: &args, ..Clip::default() });
        let with = |colour| first_frame(&made.info, colour).rgb;
        assert!(with(Colour::Reference) == filtered(&made.path, "scale=flags=bilinear"), "{pixel_format}");
        let accurate = "scale=flags=bicubic+accurate_rnd+full_chroma_int+bitexact";
        assert!(with(Colour::Accurate) == filtered(&made.path, accurate), "{pixel_format}");
        // Chroma that is not subsampled leaves nothing to choose.
        assert_eq!(with(Colour::Reference) == with(Colour::Accurate), pixel_format == "yuv444p");
    }
}

#[test]
fn fields_are_converted_apart() {
    if !has_encoder("mpeg2video") {
        return eprintln!("skipped: this ffmpeg has no encoder of MPEG-2");
    }
    let args =
        ["-vf", "noise=alls=60,setfield=tff", "-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct"];
    let args = [&args[..], &["-pix_fmt", "yuv420p"]].concat();
    let made = made("a.mpg", &Clip { frames: 12, fps: "25", args: &args, ..Clip::default() });
    assert_eq!(made.info.field_order.as_deref(), Some("tt"));
    let rgb = first_frame(&made.info, Colour::default()).rgb;
    assert!(rgb == filtered(&made.path, "scale=flags=bilinear:interl=1"));
    assert!(rgb != filtered(&made.path, "scale=flags=bilinear"));
}

/// Overwrites the display matrix of an MP4's only track: `a b`, `c d`.
fn set_matrix(path: &Path, to: &Path, numbers: [i32; 4]) {
    let mut bytes = std::fs::read(path).unwrap();
    let track = bytes.windows(4).position(|kind| kind == b"tkhd").unwrap();
    let matrix = track + 4 + 40; // version and flags, times, id, duration, layer, volume and what is reserved
    for (place, number) in [0, 4, 12, 16].into_iter().zip(numbers) {
        bytes[matrix + place..][..4].copy_from_slice(&(number << 16).to_be_bytes());
    }
    std::fs::write(to, bytes).unwrap();
}

/// The stored pixel that a display matrix takes to a column and row.
fn displayed(stored: &Frame, [a, b, c, d]: [i32; 4]) -> (u32, u32, Vec<u8>) {
    let (width, height) = (stored.width as i32, stored.height as i32);
    let (wide, high) = ((a * width + c * height).abs(), (b * width + d * height).abs());
    let mut rgb = Vec::new();
    for (y, x) in (0..high).flat_map(|y| (0..wide).map(move |x| (y, x))) {
        // The inverse of a matrix of 0, 1 and -1 is its transpose; a negative one counts from the other end.
        let from_end = |value: i32, size: i32, ones: i32| if ones < 0 { size - 1 + value } else { value };
        let (column, row) = (from_end(a * x + b * y, width, a + b), from_end(c * x + d * y, height, c + d));
        rgb.extend_from_slice(&stored.rgb[((row * width + column) * 3) as usize..][..3]);
    }
    (wide as u32, high as u32, rgb)
}

#[test]
fn pictures_are_turned_after_they_are_converted_in_all_eight_ways() {
    let args = ["-c:v", "libx264", "-qp", "10", "-vf", "noise=alls=60", "-pix_fmt", "yuv422p"];
    let made = made("a.mp4", &Clip { frames: 2, size: (48, 32), args: &args, ..Clip::default() });
    let stored = first_frame(&made.info, Colour::default());
    let turned = made.path.with_file_name("turned.mp4");
    for numbers in [
        [1, 0, 0, 1],
        [0, 1, -1, 0],
        [-1, 0, 0, -1],
        [0, -1, 1, 0], // turned
        [-1, 0, 0, 1],
        [1, 0, 0, -1],
        [0, 1, 1, 0],
        [0, -1, -1, 0], // and mirrored
    ] {
        set_matrix(&made.path, &turned, numbers);
        let info = probe_file(&turned);
        let frame = first_frame(&info, Colour::default());
        assert_eq!((info.width, info.height), (frame.width, frame.height));
        assert!((frame.width, frame.height, frame.rgb) == displayed(&stored, numbers), "{numbers:?}");
        let [a, b, c, d] = numbers;
        assert_eq!(info.is_mirrored, a * d - b * c < 0, "{numbers:?}");
    }
}

#[test]
fn what_is_not_followed_is_said() {
    let made = made("a.mp4", &Clip { frames: 4, ..Clip::default() });
    assert_eq!(made.info.warnings, Vec::<String>::new());
    let tagged = made.path.with_file_name("tagged.mkv");
    let (input, tagged_name) = (made.path.to_str().unwrap(), tagged.to_str().unwrap());
    for (args, part) in [
        (&["-color_trc", "smpte2084"][..], "HDR (PQ, smpte2084) and is not tone-mapped"),
        (&["-color_trc", "arib-std-b67"], "HDR (HLG, arib-std-b67) and is not tone-mapped"),
        (&["-aspect", "4:3"], "pixels are not square (8:15)"),
        (&["-vf", "setfield=tff", "-flags", "+ilme+ildct"], "interlaced (t"),
    ] {
        ffmpeg(&[&["-i", input, "-c:v", "libx264"][..], args, &[tagged_name]].concat()).unwrap();
        let warnings = probe_file(&tagged).warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(part), "{part}: {warnings:?}");
    }
}
