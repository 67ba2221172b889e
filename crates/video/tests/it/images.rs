//! Folders of images as pre-sampled frames.

use std::path::Path;

use image::{Rgb, RgbImage};
use longsight_video::{
    DecodeSettings, DecodeStrategy, FrameBudget, FrameCountSource, MediaTime, ProbeSettings, SampleSettings,
    VideoError, VideoInfo, VideoSource, open_frames, probe, sample,
};

use crate::synth::{decode, uniform};

pub(crate) fn save(folder: &Path, name: &str, size: (u32, u32), level: u8) {
    RgbImage::from_pixel(size.0, size.1, Rgb([level; 3])).save(folder.join(name)).unwrap();
}

pub(crate) fn probe_folder(folder: &Path, settings: &ProbeSettings) -> Result<VideoInfo, VideoError> {
    probe(&VideoSource::parse(folder.to_str().unwrap(), false).unwrap(), settings)
}

#[test]
fn images_are_frames_in_the_order_people_count() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "frame10.png", (30, 20), 100);
    save(folder.path(), "frame2.JPG", (31, 21), 20);
    save(folder.path(), "frame1.webp", (32, 22), 10);
    std::fs::write(folder.path().join(".hidden.png"), "no image").unwrap();

    let info = probe_folder(folder.path(), &ProbeSettings { image_fps: 0.5, ..Default::default() }).unwrap();
    assert_eq!((info.total_frames, info.width, info.height), (3, 32, 22));
    assert_eq!(info.frame_count_source, FrameCountSource::ImageFiles);
    assert_eq!((info.duration_secs, info.warnings.len()), (6.0, 0));
    let frames = decode(&info, &uniform(5));
    let found: Vec<_> =
        frames.iter().map(|frame| (frame.index, frame.time.secs(), frame.width, frame.height)).collect();
    assert_eq!(
        found,
        [(0, 0.0, 32, 22), (0, 0.0, 32, 22), (1, 2.0, 31, 21), (1, 2.0, 31, 21), (2, 4.0, 30, 20)]
    );
    for (frame, level) in frames.iter().zip([10u8, 10, 20, 20, 100]) {
        assert!(frame.rgb.iter().all(|&value| value.abs_diff(level) <= 3), "frame {}", frame.ordinal);
    }
    let plan = sample(&info, &SampleSettings::default()).unwrap();
    assert_eq!(plan.strategy, DecodeStrategy::Images);
}

#[test]
fn each_image_once_at_its_own_rate() {
    let folder = tempfile::tempdir().unwrap();
    (0..12).for_each(|number| save(folder.path(), &format!("{number}.png"), (4, 4), number));
    let info = probe_folder(folder.path(), &ProbeSettings::default()).unwrap();
    let plan = sample(&info, &SampleSettings::default()).unwrap();
    let indices: Vec<usize> = plan.frames.iter().map(|frame| frame.index).collect();
    assert_eq!(indices, (0..12).collect::<Vec<_>>());
    let clip = SampleSettings {
        from: Some(MediaTime::from_secs(3.0)),
        to: Some(MediaTime::from_secs(6.5)),
        budget: FrameBudget::Uniform { frames: 4 },
        ..Default::default()
    };
    let numbers: Vec<u8> = decode(&info, &clip).iter().map(|frame| frame.rgb[0]).collect();
    assert_eq!(numbers, [3, 4, 5, 6]);
}

#[test]
fn what_is_left_out_of_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "1.png", (4, 4), 1);
    save(folder.path(), "2.jpg", (4, 4), 2);
    for name in ["a10.txt", "a2.svg", "b.cr2", "c", "d", "e"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    std::fs::create_dir(folder.path().join("folder.png")).unwrap();
    let warnings = probe_folder(folder.path(), &ProbeSettings::default()).unwrap().warnings;
    let all = "2 of the folder's 9 entries are pictures; left out: a2.svg, a10.txt, b.cr2, c, d and 2 more";
    assert_eq!(warnings, [all]);
}

#[test]
fn a_folder_without_images() {
    let folder = tempfile::tempdir().unwrap();
    let error = probe_folder(folder.path(), &ProbeSettings::default()).unwrap_err();
    assert!(matches!(&error, VideoError::NoImages { path, .. } if path == folder.path()), "{error}");
    std::fs::write(folder.path().join("a.txt"), "x").unwrap();
    let error = probe_folder(folder.path(), &ProbeSettings::default()).unwrap_err().to_string();
    assert!(error.contains("jpeg") && error.contains("it has: a.txt"), "{error}");
}

#[test]
fn an_unreadable_image_is_named() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "a.png", (8, 8), 1);
    std::fs::write(folder.path().join("b.png"), "not a picture").unwrap();
    let error = probe_folder(folder.path(), &ProbeSettings::default()).unwrap_err().to_string();
    assert!(error.contains("b.png") && !error.contains('\n'), "{error}");
}

#[test]
fn a_cut_off_image_is_named_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "a.png", (8, 8), 1);
    save(folder.path(), "b.png", (64, 64), 1);
    let path = folder.path().join("b.png");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let info = probe_folder(folder.path(), &ProbeSettings::default()).unwrap();
    let plan = sample(&info, &uniform(2)).unwrap();
    let mut frames = open_frames(&info, &plan, &DecodeSettings::default()).unwrap();
    assert!(frames.next().unwrap().is_ok());
    let error = frames.next().unwrap().unwrap_err().to_string();
    assert!(error.contains("b.png"), "{error}");
    assert!(frames.next().is_none());
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "bomb.png", (8, 8), 1);
    let path = folder.path().join("bomb.png");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    std::fs::write(&path, &bytes).unwrap();
    let error = probe_folder(folder.path(), &ProbeSettings::default()).unwrap_err().to_string();
    assert!(error.contains("bomb.png"), "{error}");
    let small = ProbeSettings { max_pixels: 63, ..Default::default() };
    save(folder.path(), "bomb.png", (8, 8), 1);
    let error = probe_folder(folder.path(), &small).unwrap_err();
    assert!(
        matches!(error, VideoError::TooManyPixels { width: 8, height: 8, max_pixels: 63, .. }),
        "{error}"
    );
}

#[test]
fn an_image_rate_must_be_positive() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "a.png", (8, 8), 1);
    for image_fps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error =
            probe_folder(folder.path(), &ProbeSettings { image_fps, ..Default::default() }).unwrap_err();
        assert!(matches!(error, VideoError::BadFps { .. }), "{error}");
    }
}
