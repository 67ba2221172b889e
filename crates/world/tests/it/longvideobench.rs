//! LongVideoBench's folder, read back by its published schema.

use crate::layouts::{Made, settings, table, text, texts};
use crate::tiny;
use longsight_world::{FrameRate, FrameSize, Layout, Range, WorldSettings};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn longvideobench() {
    let made = Made::new(&settings(Layout::LongVideoBench, 9));
    let (names, rows) = table(&made.path("validation-00000-of-00001.parquet"));
    let columns = [
        "video_id",
        "id",
        "video_path",
        "subtitle_path",
        "correct_choice",
        "question",
        "option0",
        "option1",
        "option2",
        "option3",
        "option4",
        "duration",
        "duration_group",
        "question_category",
        "topic_category",
        "starting_timestamp_for_subtitles",
    ];
    assert_eq!(names, columns);
    let raw = made.json("lvb_val.json");
    assert_eq!(rows.len(), raw.len());
    let categories: BTreeSet<&str> =
        "E2O E3E O2E O3O S2A S2E S2O SAA SOS SSS T2A T2E T2O T3E T3O TAA TOS".split(' ').collect();
    for (row, raw) in rows.iter().zip(&raw) {
        for key in columns.iter().filter(|key| !key.starts_with("option")) {
            assert_eq!(row[*key], raw[key], "{key}");
        }
        let options: Vec<&str> = (0..4).map(|i| text(row, &format!("option{i}"))).collect();
        assert_eq!(options, texts(&raw["candidates"]));
        assert_eq!(text(row, "option4"), "N/A");
        assert!((0..4).contains(&row["correct_choice"].as_i64().unwrap()));
        assert!([15, 60, 600, 3600].contains(&row["duration_group"].as_i64().unwrap()));
        assert!(categories.contains(text(row, "question_category")));
        for key in ["level", "position", "question_wo_referring_query", "view_count"] {
            assert!(!raw[key].is_null(), "{key}");
        }
        assert!(made.path("videos").join(text(row, "video_path")).is_file());
        check_subtitles(&made, text(row, "subtitle_path"), row);
    }
    let groups: BTreeSet<_> = rows.iter().map(|row| row["duration_group"].as_i64()).collect();
    assert_eq!(groups.len(), 4);
}

fn check_subtitles(made: &Made, name: &str, row: &BTreeMap<String, Value>) {
    let start = row["starting_timestamp_for_subtitles"].as_f64().unwrap();
    let duration = row["duration"].as_f64().unwrap();
    let even = rows_before(made, text(row, "video_id")).is_multiple_of(2);
    for cue in made.json(&format!("subtitles/{name}")) {
        if even {
            let times: [f64; 2] = serde_json::from_value(cue["timestamp"].clone()).unwrap();
            assert!(start <= times[0] && times[0] < times[1] && times[1] <= start + duration + 0.01, "{cue}");
            assert!(cue["text"].is_string());
        } else {
            let (from, to) = (cue["start"].as_str().unwrap(), cue["end"].as_str().unwrap());
            assert!(from.len() == 12 && from < to && from.as_bytes()[8] == b'.', "{cue}");
            assert!(cue["line"].is_string());
        }
    }
}

/// The video's place in the world.
fn rows_before(made: &Made, video: &str) -> usize {
    let mut ids: Vec<String> = Vec::new();
    for row in made.json("lvb_val.json") {
        let id = row["video_id"].as_str().unwrap().to_owned();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids.iter().position(|id| id == video).unwrap()
}

#[test]
fn lengths_follow_the_benchmarks_groups_where_the_settings_allow() {
    let settings = WorldSettings {
        videos: 4,
        layout: Layout::LongVideoBench,
        duration_secs: Range::new(8.0, 1000.0),
        frame_rates: vec![FrameRate::new(1, 1)],
        sizes: vec![FrameSize::new(64, 64).unwrap()],
        card_secs: Range::new(1.0, 1.0),
        gap_secs: 0.0,
        ..tiny()
    };
    let made = Made::new(&settings);
    for row in made.json("lvb_val.json") {
        let (secs, group) = (row["duration"].as_f64().unwrap(), row["duration_group"].as_i64().unwrap());
        let (low, high) = match group {
            15 => (8.0, 15.0),
            60 => (15.0, 60.0),
            600 => (180.0, 600.0),
            _ => (900.0, 3600.0),
        };
        assert!((low..=high).contains(&secs), "{secs} s in group {group}");
    }
}
