use super::parquet_file::{Column, texts, write};
use super::{group, put, put_json, refusal, samples, try_load};
use longsight_eval::Task;
use parquet::basic::Compression;
use serde_json::{Value, json};
use std::path::Path;

/// Row `number` of a video; the question id is the video's with the number.
pub fn row(video: &str, number: usize) -> Value {
    json!({
        "video_id": video, "duration": "short", "domain": "Knowledge", "sub_category": "Law",
        "url": "https://example.org", "videoID": format!("v{video}"), "question_id": format!("{video}-{number}"),
        "task_type": "Counting Problem", "question": "How many kites are there?", "answer": "B",
        "options": ["A. One.", "B. Two.", "C. Three.", "D. Four."],
    })
}

/// Two questions, in the types that the published file has.
fn published(path: &Path, compression: Compression) {
    let options = vec!["A. One.", "B. Two.", "C. Three.", "D. Four."];
    write(
        path,
        compression,
        &[
            ("video_id", texts(&["001", "002"])),
            ("duration", texts(&["short", "long"])),
            ("domain", texts(&["Knowledge", "Multilingual"])),
            ("sub_category", texts(&["Law", "Multilingual"])),
            ("url", texts(&["u", "u"])),
            ("videoID", texts(&["abc", "d-_f"])),
            ("question_id", texts(&["001-1", "002-1"])),
            ("task_type", texts(&["Counting Problem", "OCR Problems"])),
            ("question", texts(&["How many\nkites?", "Qu'est-ce ?"])),
            ("options", Column::Lists(vec![options.clone(), options])),
            ("answer", texts(&["B", "D"])),
        ],
    );
}

#[test]
fn the_published_parquet_file_loads() {
    let folder = tempfile::tempdir().unwrap();
    published(&folder.path().join("videomme/test-00000-of-00001.parquet"), Compression::SNAPPY);
    put(folder.path(), "data/abc.mp4", "");
    let loaded = try_load(Task::VideoMme, folder.path()).unwrap();
    assert!(loaded.remarks.is_empty());
    let [first, second] = &loaded.samples[..] else { panic!() };
    assert_eq!((first.id.as_str(), first.row, first.video_id.as_str()), ("001-1", 0, "abc"));
    assert_eq!(first.video, folder.path().join("data/abc.mp4"));
    assert_eq!(first.question, "How many\nkites?");
    assert_eq!(first.options, ["A. One.", "B. Two.", "C. Three.", "D. Four."]);
    assert_eq!(first.gold.as_deref(), Some("B"));
    assert_eq!((first.duration_secs, first.issues.len()), (None, 0));
    let groups: Vec<_> = second.groups.iter().map(|(name, label)| (name.as_str(), label.as_str())).collect();
    let expected = [
        ("duration", "long"),
        ("domain", "Multilingual"),
        ("sub_category", "Multilingual"),
        ("task_type", "OCR Problems"),
    ];
    assert_eq!(groups, expected);
    assert_eq!(second.row, 1);
}

#[test]
fn every_compression_that_is_built_in_gives_the_same_samples() {
    let load = |compression| {
        let folder = tempfile::tempdir().unwrap();
        published(&folder.path().join("test-00000-of-00001.parquet"), compression);
        let mut samples = samples(Task::VideoMme, folder.path());
        samples.iter_mut().for_each(|sample| sample.video = Default::default());
        samples
    };
    let plain = load(Compression::UNCOMPRESSED);
    assert_eq!(plain.len(), 2);
    assert_eq!(plain, load(Compression::SNAPPY));
    assert_eq!(plain, load(Compression::GZIP(Default::default())));
}

#[test]
fn shards_are_read_in_order_and_other_patterns_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    published(&folder.path().join("other/test-00000-of-00001.parquet"), Compression::SNAPPY);
    published(&folder.path().join("videomme/test-00001-of-00002.parquet"), Compression::SNAPPY);
    published(&folder.path().join("videomme/test-00000-of-00002.parquet"), Compression::SNAPPY);
    let loaded = try_load(Task::VideoMme, folder.path()).unwrap();
    let names: Vec<_> = loaded.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["test-00000-of-00002.parquet", "test-00001-of-00002.parquet"]);
    let rows: Vec<_> = loaded.samples.iter().map(|sample| sample.row).collect();
    assert_eq!(rows, [0, 1, 2, 3]);
}

#[test]
fn json_and_json_lines_of_the_same_keys_load_alike() {
    let rows = [row("001", 1), row("001", 2)];
    let folder = tempfile::tempdir().unwrap();
    put_json(folder.path(), "test.json", &json!(rows));
    let from_list = samples(Task::VideoMme, folder.path());
    std::fs::remove_file(folder.path().join("test.json")).unwrap();
    // As Windows writes them: a byte order mark and carriage returns.
    put(folder.path(), "test.jsonl", format!("\u{feff}{}\r\n{}\r\n", rows[0], rows[1]));
    let from_lines = samples(Task::VideoMme, folder.path());
    assert_eq!(from_list.len(), 2);
    assert_eq!(from_list, from_lines);
}

#[test]
fn videos_are_found_by_every_ending_and_a_missing_one_is_named_as_expected() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<Value> = ["1", "2", "3", "4", "5"].map(|video| row(video, 1)).into();
    put_json(folder.path(), "test.json", &json!(rows));
    for name in ["data/v1.mp4", "data/v1.mkv", "data/v2.MP4", "data/v3.mkv", "v4.mp4"] {
        put(folder.path(), name, "");
    }
    let found: Vec<_> =
        samples(Task::VideoMme, folder.path()).into_iter().map(|sample| sample.video).collect();
    let expected = ["data/v1.mp4", "data/v2.MP4", "data/v3.mkv", "v4.mp4", "data/v5.mp4"];
    assert_eq!(found, expected.map(|name| folder.path().join(name)));
}

#[test]
fn subtitles_are_of_the_task_with_subtitles_only() {
    let folder = tempfile::tempdir().unwrap();
    put_json(folder.path(), "test.json", &json!([row("1", 1), row("2", 1)]));
    put(folder.path(), "subtitle/v1.srt", "");
    let subtitles = |task| -> Vec<_> {
        samples(task, folder.path()).into_iter().map(|sample| sample.subtitles).collect()
    };
    assert_eq!(subtitles(Task::VideoMme), [None, None]);
    assert_eq!(subtitles(Task::VideoMmeSubs), [Some(folder.path().join("subtitle/v1.srt")), None]);
}

#[test]
fn unknown_columns_are_ignored_and_embedded_videos_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test-00000-of-00001.parquet");
    let mut columns = vec![
        ("video", Column::Videos(vec![vec![7; 100_000]])),
        ("options", Column::Lists(vec![vec!["A. One.", "B. Two."]])),
        ("difficulty", Column::Doubles(vec![0.5])),
    ];
    let named = ["duration", "domain", "sub_category", "videoID", "question_id", "task_type", "question"];
    columns.extend(named.map(|name| (name, texts(&["x"]))));
    columns.push(("answer", texts(&["A"])));
    write(&path, Compression::UNCOMPRESSED, &columns);
    // What is not read may as well be damaged: the video's pages come first in the file.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[40..90_000].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let samples = samples(Task::VideoMme, folder.path());
    assert_eq!(samples.len(), 1);
    assert_eq!(samples[0].options, ["A. One.", "B. Two."]);
}

#[test]
fn a_missing_or_null_or_mistyped_field_is_refused_with_file_row_and_key() {
    let folder = tempfile::tempdir().unwrap();
    for key in ["videoID", "question_id", "question", "answer", "options", "duration", "domain", "task_type"]
    {
        for (wrong, said) in
            [(None, "is missing"), (Some(Value::Null), "is missing"), (Some(json!(3)), "and is a number")]
        {
            let mut bad = row("002", 1);
            match wrong {
                None => drop(bad.as_object_mut().unwrap().remove(key)),
                Some(value) => bad[key] = value,
            }
            put_json(folder.path(), "test.json", &json!([row("001", 1), bad]));
            let message = refusal(try_load(Task::VideoMme, folder.path()), "test.json: row 1: ");
            assert!(message.contains(&format!("`{key}`")) && message.contains(said), "{message}");
        }
    }
}

#[test]
fn a_null_in_parquet_is_a_missing_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test-0.parquet");
    write(&path, Compression::SNAPPY, &[("videoID", Column::Texts(vec![None])), ("question", texts(&["?"]))]);
    let message = refusal(try_load(Task::VideoMme, folder.path()), "test-0.parquet: row 0: ");
    assert!(message.contains("`videoID` is missing"), "{message}");
}

#[test]
fn questions_without_a_right_answer_are_kept_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut outside, mut empty, mut lower) = (row("1", 1), row("2", 1), row("3", 1));
    outside["answer"] = json!("E");
    empty["options"] = json!([]);
    lower["answer"] = json!("b");
    put_json(folder.path(), "test.json", &json!([outside, empty, lower, row("4", 1)]));
    let samples = samples(Task::VideoMme, folder.path());
    let golds: Vec<_> = samples.iter().map(|sample| sample.gold.as_deref().unwrap()).collect();
    assert_eq!(golds, ["@", "@", "@", "B"]);
    assert_eq!(samples[0].issues, ["the right answer `E` is none of the 4 candidates"]);
    assert_eq!(samples[1].issues, ["there are no candidates"]);
    assert_eq!(samples.iter().map(|sample| sample.issues.len()).collect::<Vec<_>>(), [1, 1, 1, 0]);
}

#[test]
fn ids_that_occur_again_are_made_unique_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let mut taken = row("1", 1);
    taken["question_id"] = json!("1-1#2");
    put_json(folder.path(), "test.json", &json!([row("1", 1), taken, row("1", 1), row("1", 1)]));
    let samples = samples(Task::VideoMme, folder.path());
    let ids: Vec<_> = samples.iter().map(|sample| sample.id.as_str()).collect();
    assert_eq!(ids, ["1-1", "1-1#2", "1-1#3", "1-1#4"]);
    assert_eq!(samples[2].issues, ["the id `1-1` occurs before: called `1-1#3`"]);
    assert!(samples[1].issues.is_empty());
    assert_eq!(group(&samples[0].groups, "domain"), "Knowledge");
}
