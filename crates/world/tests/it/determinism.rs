//! The same seed gives the same world: pixels before coding, truth, questions, files.

use crate::tiny;
use longsight_world::{Footage, Progress, Range, Renderer, Tools, VideoScript, WorldSettings, make};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

fn digest(frames: impl Iterator<Item = Vec<u8>>) -> String {
    let mut hash = Sha256::new();
    frames.for_each(|frame| hash.update(frame));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Drawn footage must not change between releases: benchmarks made from a seed are compared with each other.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn pixels_of_a_seed_never_change() {
    let settings = WorldSettings { duration_secs: Range::new(6.0, 6.0), ..tiny() };
    let script = VideoScript::new(20_260, &settings).unwrap();
    let tools = Tools::default();
    let mut renderer = Renderer::new(&script, &tools);
    let frames = (0..script.frames).step_by(3).map(|index| renderer.frame(index).unwrap().rgb().to_vec());
    assert_eq!(digest(frames), "b50a07fcbe69c3be0b9e7547f67d9b2dfa6d1774eba29cac374e01990d9fd7f0");
}

#[test]
fn frames_do_not_depend_on_the_order_in_which_they_are_drawn() {
    let settings = WorldSettings { footage: Vec::new(), ..tiny() };
    let script = VideoScript::new(5, &settings).unwrap();
    let kinds: Vec<_> = script.segments.iter().map(|segment| segment.footage).collect();
    assert!(kinds.iter().any(|kind| kind.is_generated()), "{kinds:?} should hold one of ffmpeg's sources");
    let tools = Tools::default();
    let mut forwards = Renderer::new(&script, &tools);
    let frames: Vec<_> = (0..script.frames).map(|index| forwards.frame(index).unwrap().clone()).collect();
    let mut backwards = Renderer::new(&script, &tools);
    for index in (0..script.frames).rev().step_by(3) {
        assert_eq!(*backwards.frame(index).unwrap(), frames[index as usize], "frame {index}");
    }
}

#[test]
fn every_kind_of_footage_moves_and_differs_by_seed() {
    for &footage in Footage::ALL {
        let settings = WorldSettings {
            footage: vec![footage],
            cards: Range::new(0, 0),
            segment_secs: Range::new(4.0, 4.0),
            duration_secs: Range::new(4.0, 4.0),
            ..tiny()
        };
        let frame = |seed: u64, index: u64| {
            let script = VideoScript::new(seed, &settings).unwrap();
            Renderer::new(&script, &Tools::default()).frame(index).unwrap().clone()
        };
        let (first, later, other) = (frame(1, 3), frame(1, 33), frame(2, 3));
        assert_ne!(first, later, "{footage} stands still");
        assert_ne!(first, other, "{footage} does not depend on the seed");
        assert_eq!(first, frame(1, 3), "{footage} is not repeatable");
    }
}

#[test]
fn seeds_give_other_plans() {
    let plans: Vec<_> = (0..20).map(|seed| VideoScript::new(seed, &tiny()).unwrap()).collect();
    for (i, plan) in plans.iter().enumerate() {
        assert!(plans[..i].iter().all(|other| other.cards != plan.cards), "seed {i}");
    }
}

/// Every file by its name from the top, with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let name = entry.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, std::fs::read(&entry).unwrap());
            }
        }
    }
    found
}

#[test]
fn files_depend_neither_on_threads_nor_on_interruptions() {
    let folder = tempfile::tempdir().unwrap();
    let world = |name: &str, parallel_videos: usize| {
        let settings = WorldSettings { parallel_videos, ..tiny() };
        let out = folder.path().join(name);
        let mut events = Vec::new();
        let summary = make(&settings, &Tools::default(), &out, &mut |event| events.push(event)).unwrap();
        assert_eq!(events[0], Progress::Planned { videos: 3, frames: summary.frames });
        let done = events.iter().filter(|event| matches!(event, Progress::Done { .. })).count();
        assert_eq!(done, 3, "{events:?}");
        (summary, files(&out))
    };
    let (summary, alone) = world("alone", 1);
    assert_eq!((summary.videos_made, summary.videos_kept), (3, 0));
    assert_eq!(alone.keys().filter(|name| name.ends_with(".mp4")).count(), 3);
    assert!(alone.keys().all(|name| !name.contains("partial")), "{:?}", alone.keys());
    assert_eq!(world("together", 3).1, alone);

    let video = folder.path().join("together/videos/00001.mp4");
    std::fs::remove_file(&video).unwrap();
    std::fs::write(video.with_file_name(".partial-00001.mp4"), "half of it").unwrap();
    let (summary, again) = world("together", 2);
    assert_eq!((summary.videos_made, summary.videos_kept), (1, 2));
    assert_eq!(again, alone);
}
