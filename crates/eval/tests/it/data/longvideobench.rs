use super::parquet_file::{Column, texts, write};
use super::{group, put, put_json, refusal, samples, try_load};
use longsight_eval::Task;
use longsight_eval::data::{LoadSettings, load};
use parquet::basic::Compression;
use serde_json::{Value, json};
use std::path::Path;

const LVB: Task = Task::LongVideoBench;

/// Two rows in the types of the published file.
fn published(path: &Path, choices: Vec<i64>) {
    write(
        path,
        Compression::SNAPPY,
        &[
            ("video_id", texts(&["v0", "v1"])),
            ("question", texts(&["What flies?", "What sinks?"])),
            ("option0", texts(&["Kite", "Boat"])),
            ("option1", texts(&["Gull", "Buoy"])),
            ("option2", texts(&["Leaf", "Rope"])),
            ("option3", texts(&["Ball", "Bell"])),
            ("option4", texts(&["N/A", "Lamp"])),
            ("correct_choice", Column::Longs(choices)),
            ("position", texts(&["[1]", "[2]"])),
            ("topic_category", texts(&["KS", "NP"])),
            ("question_category", texts(&["S2E", "TOS"])),
            ("level", texts(&["L1-Perception", "L2-Relation"])),
            ("id", texts(&["v0_0", "v1_0"])),
            ("video_path", texts(&["v0.mp4", "v1.mp4"])),
            ("subtitle_path", texts(&["v0_en.json", "v1.json"])),
            ("duration_group", Column::Longs(vec![15, 3600])),
            ("starting_timestamp_for_subtitles", Column::Doubles(vec![0.0, 12.5])),
            ("duration", Column::Doubles(vec![9.5, 1800.25])),
            ("view_count", Column::Ints(vec![1, 2])),
        ],
    );
}

pub fn raw(id: &str) -> Value {
    json!({
        "video_id": "v0", "question": "What flies?", "question_wo_referring_query": "What?", "candidates": ["Kite", "Gull", "Leaf", "Ball"],
        "correct_choice": 1, "position": [3], "topic_category": "KS", "question_category": "S2E", "level": "L1-Perception",
        "id": id, "video_path": "v0.mp4", "subtitle_path": "v0_en.json", "duration_group": 15,
        "starting_timestamp_for_subtitles": 0, "duration": 9.5, "view_count": 10,
    })
}

#[test]
fn the_published_parquet_file_loads() {
    let folder = tempfile::tempdir().unwrap();
    published(&folder.path().join("validation-00000-of-00001.parquet"), vec![1, 4]);
    put(folder.path(), "subtitles/v1.json", "[]");
    let samples = samples(Task::LongVideoBenchSubs, folder.path());
    assert_eq!(samples[0].options, ["Kite", "Gull", "Leaf", "Ball", "N/A"]);
    assert_eq!(samples[0].gold.as_deref(), Some("B"));
    assert_eq!(samples[1].gold.as_deref(), Some("E"));
    assert_eq!((samples[1].id.as_str(), samples[1].video_id.as_str()), ("v1_0", "v1.mp4"));
    assert_eq!(samples[1].video, folder.path().join("videos/v1.mp4"));
    assert_eq!((samples[1].duration_secs, samples[1].subtitle_offset_secs), (Some(1800.25), 12.5));
    assert_eq!(group(&samples[1].groups, "duration_group"), "3600");
    assert_eq!(group(&samples[1].groups, "question_category"), "TOS");
    assert_eq!(group(&samples[1].groups, "topic_category"), "NP");
    assert_eq!(group(&samples[1].groups, "level"), "L2-Relation");
    assert_eq!(samples[1].subtitles, Some(folder.path().join("subtitles/v1.json")));
    assert_eq!(samples[0].subtitles, None);
    assert!(samples[0].issues[0].contains("v0_en.json is missing"), "{:?}", samples[0].issues);
}

#[test]
fn the_raw_json_gives_the_same_but_for_absent_options() {
    let folder = tempfile::tempdir().unwrap();
    published(&folder.path().join("validation-00000-of-00001.parquet"), vec![1, 4]);
    let parquet = samples(LVB, folder.path()).remove(0);
    std::fs::remove_file(folder.path().join("validation-00000-of-00001.parquet")).unwrap();
    put_json(folder.path(), "lvb_val.json", &json!([raw("v0_0")]));
    // Subtitles are JSON too, and no annotations.
    put_json(
        folder.path(),
        "subtitles/v0_en.json",
        &json!([{"start": "0:0:1.0", "end": "0:0:2.0", "line": "x"}]),
    );
    let mut raw = samples(LVB, folder.path()).remove(0);
    assert_eq!(raw.options.len(), 4);
    raw.options.push("N/A".into());
    assert_eq!(raw, parquet);
}

#[test]
fn the_test_split_is_chosen_by_setting_and_hides_its_answers() {
    let folder = tempfile::tempdir().unwrap();
    published(&folder.path().join("validation-00000-of-00001.parquet"), vec![1, 4]);
    let mut hidden = raw("t_0");
    hidden.as_object_mut().unwrap().remove("correct_choice");
    let mut negative = raw("t_1");
    negative["correct_choice"] = json!(-1);
    put_json(folder.path(), "lvb_test_wo_gt.json", &json!([hidden, negative]));
    let loaded = load(LVB, folder.path(), &LoadSettings { test_split: true }).unwrap();
    assert_eq!(loaded.samples.iter().map(|sample| sample.id.as_str()).collect::<Vec<_>>(), ["t_0", "t_1"]);
    assert!(loaded.samples.iter().all(|sample| sample.gold.is_none() && sample.issues.is_empty()));
    assert_eq!(samples(LVB, folder.path())[0].id, "v0_0");
}

#[test]
fn a_choice_outside_the_options_never_counts_as_right() {
    let folder = tempfile::tempdir().unwrap();
    // 4 is the letter E, which the extractor finds although the first question has four options.
    published(&folder.path().join("validation-00000-of-00001.parquet"), vec![4, -1]);
    let samples = samples(LVB, folder.path());
    assert_eq!(samples[0].gold.as_deref(), Some("@"));
    assert_eq!(samples[0].issues, ["the right answer, number 4 from 0, is none of the 4 candidates"]);
    assert_eq!(samples[1].gold.as_deref(), Some("@"));
    assert_eq!(samples[1].issues.len(), 1);
}

#[test]
fn no_candidates_are_kept_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let mut row = raw("v0_0");
    row["candidates"] = json!([]);
    put_json(folder.path(), "lvb_val.json", &json!([row]));
    let sample = samples(LVB, folder.path()).remove(0);
    assert_eq!((sample.gold.as_deref(), sample.issues.len()), (Some("@"), 1));
    assert_eq!(sample.issues, ["there are no candidates"]);
}

#[test]
fn missing_and_mistyped_fields_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("correct_choice", Value::Null, "`correct_choice` is missing"),
        ("correct_choice", json!("B"), "`correct_choice` must be a whole number, and is a string"),
        ("correct_choice", json!(1.5), "`correct_choice` must be a whole number"),
        ("candidates", Value::Null, "`option0` to `option4`, or `candidates`, are missing"),
        ("candidates", json!(["a", 2]), "`candidates` must be a list of strings only, and is a number"),
        ("duration", json!("9.5"), "`duration` must be a number, and is a string"),
        ("duration_group", Value::Null, "`duration_group` is missing"),
        ("starting_timestamp_for_subtitles", json!([]), "must be a number, and is a list"),
    ];
    for (key, value, said) in cases {
        let mut row = raw("v0_0");
        row[key] = value;
        put_json(folder.path(), "lvb_val.json", &json!([raw("x"), row]));
        let message = refusal(try_load(LVB, folder.path()), "lvb_val.json: row 1: ");
        assert!(message.contains(said), "{message}");
    }
}
