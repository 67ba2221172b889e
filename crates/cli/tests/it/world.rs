//! `longsight world`: flags to folders.

use crate::eval_bench::{json_lines, read_json};
use crate::program::{Program, assert_names, longsight};
use std::path::Path;

const FOOTAGE: &str =
    "--sizes 96x64 --duration-secs 3..4 --codecs mpeg4 --frame-rates 5 --footage noise,gradient";
const CARDS: &str = "--videos 2 --cards 1..2 --card-secs 0.5 --gap-secs 0.2";

fn make(out: &Path) -> Program {
    longsight("world").arg("make").arg("--out").arg(out).args(FOOTAGE).args(CARDS)
}

fn needles(out: &Path) -> Program {
    longsight("world").arg("needles").arg("--out").arg(out).args(FOOTAGE)
}

#[test]
fn flags_are_settings() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("w");
    let flags = "--seed 7 --card-min-share 0.1 --questions-per-video 5 --kinds which,when --segment-secs 1..2 --distractors 1..2 \
                 --card-size 0.5..0.6 --tilt-degrees 3 --stage 2 --parallel 1";
    let made = make(&out).args(flags).json();
    assert_eq!(
        (&made["videos_made"], &made["videos_kept"], &made["questions"]),
        (&2.into(), &0.into(), &10.into())
    );
    let settings = &read_json(out.join("manifest.json"))["settings"];
    let range = |min: f64, max: f64| serde_json::json!({ "min": min, "max": max });
    for (name, value) in [
        ("seed", 7.into()),
        ("videos", 2.into()),
        ("layout", "plain".into()),
        ("duration_secs", range(3.0, 4.0)),
        ("codecs", vec!["mpeg4"].into()),
        ("frame_rates", vec!["5"].into()),
        ("sizes", vec!["96x64"].into()),
        ("footage", vec!["noise", "gradient"].into()),
        ("segment_secs", range(1.0, 2.0)),
        ("distractors", serde_json::json!({ "min": 1, "max": 2 })),
        ("cards", serde_json::json!({ "min": 1, "max": 2 })),
        ("card_secs", range(0.5, 0.5)),
        ("card_min_share", 0.1.into()),
        ("gap_secs", 0.2.into()),
        ("card_size", range(0.5, 0.6)),
        ("tilt_degrees", 3.0.into()),
        ("stage", "2".into()),
        ("questions_per_video", 5.into()),
        ("kinds", vec!["which", "when"].into()),
    ] {
        assert_eq!(settings[name], value, "{name}");
    }
    let questions = json_lines(&out.join("questions.jsonl"));
    assert_eq!(questions.len(), 10);
    for question in &questions {
        assert!(out.join(question["video"].as_str().unwrap()).is_file());
        assert!(["which", "when"].contains(&question["kind"].as_str().unwrap()));
    }
}

#[test]
fn a_world_is_finished_by_the_same_command_only() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("w");
    let outcome = make(&out).run().succeeded();
    assert_eq!(outcome.stdout, "");
    assert_names(&outcome.stderr, &["made 2 videos"]);
    let video = out.join("videos/00001.mp4");
    let bytes = std::fs::read(&video).unwrap();
    std::fs::remove_file(&video).unwrap();
    let again = make(&out).args("--quiet --parallel 2").json();
    assert_eq!((&again["videos_made"], &again["videos_kept"]), (&1.into(), &1.into()));
    assert_eq!(std::fs::read(&video).unwrap(), bytes, "the same seed, the same video");
    assert_names(&make(&out).args("--seed 1").failure(), &["other settings", "another folder"]);
    let full = folder.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("mine.txt"), "x").unwrap();
    assert_names(&make(&full).failure(), &["full", "not empty"]);
}

#[test]
fn needles_and_their_haystack() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("n");
    let made = needles(&out).args("--needles 5 --seed 2").json();
    assert_eq!((&made["videos_made"], &made["questions"]), (&1.into(), &5.into()));
    assert_eq!(read_json(out.join("manifest.json"))["settings"]["needles"], 5);
    let rows = read_json(out.join("needles.json"));
    let with_choices =
        rows.as_array().unwrap().iter().filter(|row| row["candidates"] != serde_json::json!([]));
    assert_eq!(with_choices.count(), 3, "three of five have candidates, as in V-NIAH");
    for row in rows.as_array().unwrap() {
        assert!(row["question"].as_str().unwrap().starts_with('\n'));
        assert!(out.join(row["image"].as_str().unwrap()).is_file());
    }
    assert_eq!(needles(&out).args("--needles 5 --seed 2").json()["videos_kept"], 1);
    assert_names(&needles(&out).args("--needles 4 --seed 2").failure(), &["other settings"]);
}

#[test]
fn worlds_that_cannot_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("w");
    for (flags, names) in [
        ("--videos 0", ["videos", "1 to 100,000"]),
        ("--duration-secs 0.1", ["--duration-secs", "0.1"]),
        ("--duration-secs 9..3", ["--duration-secs", "9 to 3"]),
        ("--cards 9 --card-secs 3", ["cards", "longer than the shortest video"]),
        ("--tilt-degrees 90", ["--tilt-degrees", "25"]),
        ("--layout videomme --questions-per-video 4", ["--questions-per-video", "Video-MME"]),
        ("--layout mlvu --kinds describe", ["kinds", "describe"]),
    ] {
        assert_names(&make(&out).args(flags).failure(), &names);
    }
    assert_names(&needles(&out).args("--needles 0").failure(), &["--needles: 0", "1 to 1,000"]);
    for (flag, value) in [
        ("--layout", "mvbench"),
        ("--codecs", "h266"),
        ("--kinds", "why"),
        ("--sizes", "97x64"),
        ("--sizes", "big"),
        ("--cards", "a..b"),
        ("--frame-rates", "0"),
        ("--stage", "3"),
        ("--footage", "cats"),
    ] {
        assert_names(&make(&out).arg(flag).arg(value).run().failed(2), &[flag, value]);
    }
    assert!(!out.exists());
}
