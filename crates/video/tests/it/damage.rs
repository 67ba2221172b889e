//! Frames that do not decode are replaced by the nearest good ones, and it is said.

use std::path::{Path, PathBuf};
use std::process::Command;

use longsight_video::{
    DecodeSettings, DecodeStrategy, SampleSettings, VideoError, VideoInfo, open_frames, sample,
};

use crate::synth::{Clip, Made, decode, made, number_of, probe_file, uniform};

struct Packet {
    index: usize,
    position: usize,
    size: usize,
}

/// The packets of a video by index, where ffprobe finds them in the file.
fn packets(made: &Made) -> Vec<Packet> {
    let args =
        ["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts,pos,size", "-of", "csv=p=0"];
    let output = Command::new("ffprobe").args(args).arg(&made.path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut packets: Vec<Vec<i64>> = text
        .lines()
        .map(|line| line.trim_end_matches(',').split(',').map(|field| field.parse().unwrap()).collect())
        .collect();
    packets.sort();
    let packet = |(index, packet): (usize, &Vec<i64>)| Packet {
        index,
        size: packet[1] as usize,
        position: packet[2] as usize,
    };
    packets.iter().enumerate().map(packet).collect()
}

/// Overwrites the packets of some frames, and leaves everything else alone.
fn spoil(made: &Made, name: &str, spoilt: impl Fn(usize) -> bool) -> PathBuf {
    let mut bytes = std::fs::read(&made.path).unwrap();
    for Packet { index, position, size } in packets(made).into_iter().filter(|packet| spoilt(packet.index)) {
        assert!(index < 60);
        bytes[position..position + size].fill(0);
    }
    let path = made.path.with_file_name(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn both_ways(info: &VideoInfo, check: impl Fn(&longsight_video::Frame)) {
    for strategy in [DecodeStrategy::Sequential, DecodeStrategy::Seek] {
        let frames = decode(info, &SampleSettings { strategy: Some(strategy), ..uniform(60) });
        frames.iter().for_each(&check);
    }
}

#[test]
fn a_damaged_group_is_replaced_by_its_neighbours() {
    let made = made("a.mp4", &Clip::default());
    // Keyframes are 0, 12, 24, 36, 48: the third group is lost from its keyframe on.
    let info = probe_file(&spoil(&made, "damaged.mp4", |index| (24..30).contains(&index)));
    both_ways(&info, |frame| {
        let used = frame.replaced_from.unwrap_or(frame.index);
        assert_eq!(number_of(frame), used, "{frame:?}");
        match frame.index {
            24..=29 => assert!(frame.replaced_from.is_some(), "{frame:?}"),
            // ffmpeg drops what it had decoded, but not yet put out, when the next keyframe fails.
            22..=23 => assert!(frame.replaced_from.is_none_or(|used| used == 21), "{frame:?}"),
            // Predicted from what was lost.
            30..=35 => assert!(frame.replaced_from.is_none_or(|used| used == 36 || used <= 23), "{frame:?}"),
            _ => assert_eq!(frame.replaced_from, None, "{frame:?}"),
        }
    });
}

#[test]
fn a_damaged_frame_spoils_no_more_than_its_group() {
    let made = made("a.mp4", &Clip::default());
    let info = probe_file(&spoil(&made, "damaged.mp4", |index| index == 16));
    both_ways(&info, |frame| {
        let used = frame.replaced_from.unwrap_or(frame.index);
        assert_eq!(number_of(frame), used, "{frame:?}");
        if !(12..24).contains(&frame.index) {
            assert_eq!(frame.replaced_from, None);
        }
    });
}

#[test]
fn a_video_whose_end_is_damaged_falls_back_on_what_precedes() {
    let made = made("a.mp4", &Clip::default());
    let info = probe_file(&spoil(&made, "damaged.mp4", |index| index >= 20));
    both_ways(&info, |frame| {
        assert_eq!(number_of(frame), frame.replaced_from.unwrap_or(frame.index));
        assert_eq!(frame.replaced_from.is_some(), frame.index >= 20, "{frame:?}");
    });
}

#[test]
fn a_video_without_a_single_good_frame_is_an_error() {
    let made = made("a.mp4", &Clip::default());
    let info = probe_file(&spoil(&made, "damaged.mp4", |_| true));
    let plan = sample(&info, &uniform(5)).unwrap();
    let mut frames = open_frames(&info, &plan, &DecodeSettings::default()).unwrap();
    let error = frames.next().unwrap().unwrap_err();
    assert!(matches!(error, VideoError::NoDecodableFrame { .. }), "{error}");
    assert!(!error.to_string().contains('\n') && frames.next().is_none(), "{error}");
}

#[test]
fn a_file_cut_short_ends_where_its_packets_end() {
    let made = made("a.mkv", &Clip::default());
    let bytes = std::fs::read(&made.path).unwrap();
    let path = made.path.with_file_name("cut.mkv");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let info = probe_file(&path);
    assert!((10..50).contains(&info.total_frames), "{}", info.total_frames);
    assert!(info.warnings.iter().any(|warning| warning.contains("header")), "{:?}", info.warnings);
    for frame in decode(&info, &uniform(info.total_frames)) {
        assert_eq!(number_of(&frame), frame.replaced_from.unwrap_or(frame.index));
    }
}

#[test]
fn the_plan_survives_a_file_that_vanishes() {
    let made = made("a.mp4", &Clip::default());
    let plan = sample(&made.info, &uniform(5)).unwrap();
    std::fs::remove_file(&made.path).unwrap();
    let error =
        open_frames(&made.info, &plan, &DecodeSettings::default()).unwrap().next().unwrap().unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
    assert!(Path::new(&made.name).is_relative());
}

/// A B-frame that is no reference (`nal_ref_idc` 0) at the start of a group of 12 s: its neighbours are as good as ever.
#[test]
fn a_broken_frame_that_no_other_refers_to_costs_itself_alone() {
    let params = "b-pyramid=none:scenecut=0:keyint=250";
    let args = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "2", "-x264-params", params];
    let made = made("a.mp4", &Clip { frames: 60, args: &args, ..Clip::default() });
    let mut bytes = std::fs::read(&made.path).unwrap();
    let packets = packets(&made);
    let is_free = |packet: &&Packet| bytes[packet.position + 4] == 1;
    let broken = packets.iter().filter(is_free).min_by_key(|packet| packet.position).unwrap();
    bytes[broken.position + 5..broken.position + broken.size].fill(0);
    let path = made.path.with_file_name("broken.mp4");
    std::fs::write(&path, bytes).unwrap();
    both_ways(&probe_file(&path), |frame| {
        let used = frame.replaced_from.unwrap_or(frame.index);
        assert_eq!((number_of(frame), frame.is_after_damage), (used, false), "{frame:?}");
        assert_eq!(frame.replaced_from.is_some(), frame.index == broken.index, "{frame:?}");
    });
}

/// One frame of a long group is lost, and all later ones are predicted from it: close by the frames before it are shown,
/// later the frames as they decode, and it is said.
#[test]
fn what_follows_a_lost_reference_is_shown_rather_than_a_frame_far_away() {
    let args = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0", "-g", "250", "-sc_threshold", "0"];
    let made = made("a.mp4", &Clip { frames: 60, args: &args, ..Clip::default() });
    let info = probe_file(&spoil(&made, "damaged.mp4", |index| index == 20));
    both_ways(&info, |frame| match frame.index {
        0..20 => assert_eq!((frame.replaced_from, frame.is_after_damage), (None, false), "{frame:?}"),
        20..28 => assert_eq!((frame.replaced_from, frame.is_after_damage), (Some(19), false), "{frame:?}"),
        31.. => assert_eq!((frame.replaced_from, frame.is_after_damage), (None, true), "{frame:?}"),
        _ => {}
    });
}
