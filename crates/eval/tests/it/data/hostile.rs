use super::parquet_file::{Column, texts, write};
use super::{longvideobench, mlvu, put, put_json, refusal, samples, try_load, videomme};
use longsight_eval::Task;
use parquet::basic::Compression;
use proptest::prelude::*;
use serde_json::json;
use std::path::Path;

const TASK: Task = Task::VideoMme;

fn small_parquet(path: &Path) -> Vec<u8> {
    let named = ["duration", "domain", "sub_category", "videoID", "question_id", "task_type", "question"];
    let mut columns: Vec<_> = named.map(|name| (name, texts(&["first", "second", "first"]))).into();
    columns.push(("answer", texts(&["A", "B", "A"])));
    columns.push(("options", Column::Lists(vec![vec!["A. x", "B. y"], vec![], vec!["A. z"]])));
    write(path, Compression::SNAPPY, &columns);
    std::fs::read(path).unwrap()
}

#[test]
fn an_empty_folder_says_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    for task in Task::ALL {
        let message = refusal(try_load(task, folder.path()), "no annotations of");
        let looked_for = if task == Task::World { "questions.jsonl" } else { ".parquet" };
        assert!(message.contains(task.name()) && message.contains(looked_for), "{message}");
    }
    let message = refusal(try_load(TASK, &folder.path().join("nowhere")), "nowhere");
    assert!(message.contains("--data"), "{message}");
}

#[test]
fn a_parquet_file_cut_anywhere_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test-0.parquet");
    let whole = small_parquet(&path);
    assert_eq!(samples(TASK, folder.path()).len(), 3);
    for length in (0..whole.len()).step_by(7) {
        std::fs::write(&path, &whole[..length]).unwrap();
        refusal(try_load(TASK, folder.path()), "test-0.parquet: ");
    }
}

#[test]
fn an_empty_list_in_parquet_is_kept_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    small_parquet(&folder.path().join("test-0.parquet"));
    let samples = samples(TASK, folder.path());
    assert_eq!((samples[1].options.len(), samples[1].gold.as_deref()), (0, Some("@")));
    assert_eq!(samples[1].issues, ["there are no candidates"]);
    assert_eq!((samples[2].options.len(), samples[2].gold.as_deref()), (1, Some("A")));
}

#[test]
fn a_parquet_file_without_our_columns_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("test-0.parquet"), Compression::SNAPPY, &[("text", texts(&["x"]))]);
    refusal(try_load(TASK, folder.path()), "has none of the columns");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_parquet_is_an_error_or_other_samples(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test-0.parquet");
        let mut bytes = small_parquet(&path);
        for (place, byte) in damage {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        std::fs::write(&path, bytes).unwrap();
        if let Err(error) = try_load(TASK, folder.path()) {
            let message = error.to_string();
            prop_assert!(message.contains("test-0.parquet") && !message.contains('\n'), "{}", message);
        }
    }

    #[test]
    fn damaged_json_is_an_error_or_other_samples(at in any::<prop::sample::Index>(), byte: u8, cut: bool) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = serde_json::to_vec(&json!([videomme::row("1", 1), videomme::row("2", 1)])).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        put(folder.path(), "test.json", bytes);
        if let Err(error) = try_load(TASK, folder.path()) {
            prop_assert!(error.to_string().contains("test.json"));
        } else {
            prop_assert!(!cut);
        }
    }
}

#[test]
fn json_that_is_no_list_of_objects_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let row = videomme::row("1", 1);
    let cases = [
        (String::new(), "holds no question"),
        ("[]".into(), "holds no question"),
        ("42".into(), "row 0: expected a JSON object"),
        ("\"text\"".into(), "row 0: expected a JSON object"),
        ("[1, 2]".into(), "row 0: expected a JSON object"),
        (format!("[{row} {row}]"), "row 1: expected a JSON object"),
        (format!("[{row},]"), "row 1: expected a JSON object"),
        (format!("[{row}"), "row 1: the file ends here"),
        ("{\"rows\": 1}".into(), "row 0: `videoID` is missing"),
        ("{videoID: 1}".into(), "row 0: not valid JSON"),
        ("[{\"question\": \"\u{0}\"}]".into(), "row 0: not valid JSON"),
    ];
    for (text, said) in cases {
        put(folder.path(), "test.json", &text);
        let message = refusal(try_load(TASK, folder.path()), "test.json");
        assert!(message.contains(said), "{text}: {message}");
    }
    put(folder.path(), "test.json", b"[{\"videoID\": \"\xff\xfe\"}]");
    refusal(try_load(TASK, folder.path()), "row 0: not valid JSON");
}

#[test]
fn deep_nesting_is_refused_without_overflowing_the_stack() {
    let folder = tempfile::tempdir().unwrap();
    let deep = format!("[{{\"videoID\": {}{}}}]", "[".repeat(200_000), "]".repeat(200_000));
    put(folder.path(), "test.json", deep);
    refusal(try_load(TASK, folder.path()), "row 0: not valid JSON");
}

#[test]
fn a_string_of_a_million_characters_is_a_string() {
    let folder = tempfile::tempdir().unwrap();
    let mut row = videomme::row("1", 1);
    let long = "\u{e9}\"\\".repeat(333_334);
    row["question"] = json!(long);
    put_json(folder.path(), "test.json", &json!([row]));
    assert_eq!(samples(TASK, folder.path())[0].question, long);
    // In a message, its start will do.
    row["answer"] = json!(long);
    put_json(folder.path(), "test.json", &json!([row]));
    assert!(samples(TASK, folder.path())[0].issues[0].len() < 300);
    row["videoID"] = json!(format!("/{long}"));
    put_json(folder.path(), "test.json", &json!([row]));
    refusal(try_load(TASK, folder.path()), "leaves the folder");
}

#[test]
fn file_names_that_leave_the_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "secret.mp4", "");
    let data = folder.path().join("data");
    for name in ["../secret", "a/../../secret", "/etc/passwd", "", ".", "a\u{0}b"] {
        let mut row = videomme::row("1", 1);
        row["videoID"] = json!(name);
        put_json(&data, "test.json", &json!([row]));
        let message = refusal(try_load(TASK, &data), "test.json: row 0: `videoID`");
        assert!(message.contains("leaves the folder") || message.contains("is no file name"), "{message}");
    }
    put_json(&data, "json/3_ego.json", &json!([mlvu::row("ego", "../secret.mp4", &["x"], "x")]));
    refusal(try_load(Task::MlvuDev, &data), "`video` leaves the folder");
    for key in ["video_path", "subtitle_path"] {
        let mut row = longvideobench::raw("a");
        row[key] = json!("../secret.mp4");
        put_json(&data, "lvb_val.json", &json!([row]));
        refusal(try_load(Task::LongVideoBenchSubs, &data), &format!("`{key}` leaves the folder"));
    }
}

#[test]
fn a_task_name_that_is_a_path_finds_no_video_outside() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "outside/a.mp4", "");
    let data = folder.path().join("data");
    put_json(&data, "json/3_ego.json", &json!([mlvu::row("../../outside", "a.mp4", &["x"], "x")]));
    let video = samples(Task::MlvuDev, &data).remove(0).video;
    assert_eq!(video, data.join("video/a.mp4"));
}

#[cfg(unix)]
#[test]
fn links_that_go_round_neither_hang_nor_double_the_questions() {
    let folder = tempfile::tempdir().unwrap();
    small_parquet(&folder.path().join("annotations/test-0.parquet"));
    std::os::unix::fs::symlink(folder.path(), folder.path().join("annotations/loop")).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("self")).unwrap();
    std::os::unix::fs::symlink("dangling", folder.path().join("test-1.parquet")).unwrap();
    assert_eq!(samples(TASK, folder.path()).len(), 3);
}
