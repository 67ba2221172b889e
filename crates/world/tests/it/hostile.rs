//! Settings and folders that cannot be used: one line, before anything is written.

use crate::tiny;
use longsight_world::{
    Codec, Footage, FrameRate, Layout, NeedleSettings, QuestionKind, Range, Stage, Tools, VideoScript,
    WorldSettings, encode, make, make_needles, needles,
};
use std::path::Path;

/// The message of a world that cannot be made; nothing was written.
fn refused(change: impl Fn(&mut WorldSettings)) -> String {
    let mut settings = tiny();
    change(&mut settings);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let message = make(&settings, &Tools::default(), &out, &mut |_| ()).unwrap_err().to_string();
    assert!(!out.exists(), "{message}: but the folder was made");
    assert!(!message.contains('\n'), "{message:?}");
    message
}

#[test]
fn settings_that_cannot_be_meant() {
    type Change = fn(&mut WorldSettings);
    let cases: &[(&str, Change)] = &[
        ("videos: 0", |s| s.videos = 0),
        ("duration_secs: 0 to 0", |s| s.duration_secs = Range::new(0.0, 0.0)),
        ("duration_secs: 9 to 3", |s| s.duration_secs = Range::new(9.0, 3.0)),
        ("duration_secs: NaN", |s| s.duration_secs = Range::new(f64::NAN, 3.0)),
        ("duration_secs: 10 to 9000", |s| s.duration_secs = Range::new(10.0, 9000.0)),
        ("sizes: none", |s| s.sizes.clear()),
        ("frame_rates", |s| s.frame_rates.clear()),
        ("segment_secs: 0", |s| s.segment_secs = Range::new(0.0, 1.0)),
        ("distractors", |s| s.distractors = Range::new(0, 1000)),
        ("cards: 3 of 60 s", |s| s.card_secs = Range::new(60.0, 60.0)),
        ("cards: 3 of 0.3 s with pauses of 5 s", |s| s.gap_secs = 5.0),
        ("cards: 3 of", |s| s.card_min_share = 0.5),
        ("cards: 3 to 11, must be a range within 0 to 10 in stage 1", |s| s.cards = Range::new(3, 11)),
        ("cards: 5 to 4", |s| s.cards = Range::new(5, 4)),
        ("card_secs: 0", |s| s.card_secs = Range::new(0.0, 1.0)),
        ("card_size: 0.5 to 1.5", |s| s.card_size = Range::new(0.5, 1.5)),
        ("tilt_degrees: 90", |s| s.tilt_degrees = 90.0),
        ("tilt_degrees: NaN", |s| s.tilt_degrees = f64::NAN),
        ("gap_secs: -1", |s| s.gap_secs = -1.0),
        ("questions_per_video: 7", |s| (s.layout, s.questions_per_video) = (Layout::VideoMme, 7)),
        ("questions_per_video: 5000", |s| s.questions_per_video = 5000),
        ("kinds", |s| (s.layout, s.kinds) = (Layout::Mlvu, vec![QuestionKind::Describe])),
    ];
    for (expected, change) in cases {
        let message = refused(change);
        assert!(message.contains(expected), "{expected:?} not in {message:?}");
    }
}

#[test]
fn the_most_cards_of_a_stage_fit() {
    let settings = WorldSettings {
        stage: Stage::Two,
        cards: Range::new(40, 40),
        duration_secs: Range::new(60.0, 60.0),
        ..tiny()
    };
    assert_eq!(VideoScript::new(1, &settings).unwrap().cards.len(), 40);
}

#[test]
fn a_folder_that_holds_something_else() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    let message = make(&tiny(), &Tools::default(), folder.path(), &mut |_| ()).unwrap_err().to_string();
    assert!(message.contains("not empty") && message.contains(folder.path().to_str().unwrap()), "{message}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_made_with_other_settings() {
    let folder = tempfile::tempdir().unwrap();
    for manifest in ["{}", "not json", r#"{"generator":"longsight-world","settings":{"seed":1}}"#] {
        std::fs::write(folder.path().join("manifest.json"), manifest).unwrap();
        let message = make(&tiny(), &Tools::default(), folder.path(), &mut |_| ()).unwrap_err().to_string();
        assert!(message.contains("other settings") && !message.contains('\n'), "{message}");
    }
}

#[test]
fn a_folder_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for out in [file.clone(), file.join("below"), Path::new("/proc/longsight").to_owned()] {
        let message = make(&tiny(), &Tools::default(), &out, &mut |_| ()).unwrap_err().to_string();
        assert!(message.contains(out.to_str().unwrap()) && !message.contains('\n'), "{message}");
    }
}

#[test]
fn a_missing_or_failing_ffmpeg() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Tools { ffmpeg: "/nowhere/ffmpeg".into(), ..Tools::default() };
    let message = make(&tiny(), &missing, &folder.path().join("a"), &mut |_| ()).unwrap_err().to_string();
    assert!(message.contains("/nowhere/ffmpeg") && message.contains("install ffmpeg"), "{message}");

    let script = VideoScript::new(1, &tiny()).unwrap();
    let path = folder.path().join("no/such/folder/a.mp4");
    let message =
        encode(&script, Codec::Mpeg4, &Tools::default(), &path, &mut |_| ()).unwrap_err().to_string();
    assert!(message.starts_with("ffmpeg, writing") && message.contains("No such file"), "{message}");
    assert!(!message.contains('\n'), "{message}");
}

#[test]
#[cfg(unix)]
fn an_ffmpeg_without_what_was_named_or_with_nothing_at_all() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let poor = folder.path().join("ffmpeg");
    std::fs::write(&poor, "#!/bin/sh\necho ' V..... mpeg4  MPEG-4 part 2'\n").unwrap();
    std::fs::set_permissions(&poor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let tools = Tools { ffmpeg: poor, ..Tools::default() };
    let refused = |settings: &WorldSettings| {
        make(settings, &tools, &folder.path().join("out"), &mut |_| ()).unwrap_err().to_string()
    };
    let message = refused(&WorldSettings { codecs: vec![Codec::Mpeg4, Codec::Vp9], ..tiny() });
    assert!(message.contains("codec vp9") && message.contains("cannot make it"), "{message}");
    let message = refused(&WorldSettings { footage: vec![Footage::Life], ..tiny() });
    assert!(message.contains("footage life"), "{message}");

    let none = Tools { ffmpeg: "true".into(), ..Tools::default() };
    let any = WorldSettings { codecs: Vec::new(), ..tiny() };
    let message = make(&any, &none, &folder.path().join("out"), &mut |_| ()).unwrap_err().to_string();
    assert!(message.contains("codec") && message.contains("none"), "{message}");
}

#[test]
fn needles_that_cannot_be_made() {
    let folder = tempfile::tempdir().unwrap();
    for count in [0, 5000] {
        let settings = NeedleSettings { needles: count, haystack: tiny() };
        assert!(needles(&settings).unwrap_err().to_string().contains(&format!("needles: {count}")));
        make_needles(&settings, &Tools::default(), &folder.path().join("out"), &mut |_| ()).unwrap_err();
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_frame_that_is_not_there() {
    let script = VideoScript::new(1, &tiny()).unwrap();
    let tools = Tools::default();
    let message =
        longsight_world::Renderer::new(&script, &tools).frame(script.frames).unwrap_err().to_string();
    assert_eq!(message, format!("frame {}: the video has {} frames", script.frames, script.frames));
    assert_eq!(FrameRate::new(0, 0), FrameRate::new(1, 1));
}
