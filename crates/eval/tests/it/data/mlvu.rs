use super::parquet_file::{Column, texts, write};
use super::{put, put_json, refusal, samples, try_load};
use longsight_eval::data::lmms_mlvu_question;
use longsight_eval::{Sample, Task};
use parquet::basic::Compression;
use serde_json::{Value, json};

const TASKS: [(&str, &str); 7] = [
    ("1_plotQA", "plotQA"),
    ("2_needle", "findNeedle"),
    ("3_ego", "ego"),
    ("4_count", "count"),
    ("5_order", "order"),
    ("6_anomaly_reco", "anomaly_reco"),
    ("7_topic_reasoning", "topic_reasoning"),
];

pub fn row(kind: &str, video: &str, candidates: &[&str], answer: &str) -> Value {
    json!({
        "video": video, "duration": 246, "question": "What does the keeper carry?", "candidates": candidates,
        "answer": answer, "question_type": kind,
    })
}

fn golden() -> Vec<Value> {
    serde_json::from_str(include_str!("../../golden/mlvu_prompts.json")).unwrap()
}

fn letter_of(sample: &Sample) -> &str {
    sample.gold.as_deref().unwrap()
}

#[test]
fn the_official_files_load_in_order_without_the_generative_ones() {
    let folder = tempfile::tempdir().unwrap();
    for (file, kind) in TASKS {
        let rows = [
            row(kind, &format!("{file}_a.mp4"), &["x", "y"], "y"),
            row(kind, &format!("{file}_b.mp4"), &["x", "y"], "x"),
        ];
        put_json(folder.path(), &format!("MLVU/json/{file}.json"), &json!(rows));
    }
    let generative = json!([{"video": "s.mp4", "duration": 9, "question": "Describe.", "answer": "…", "question_type": "subPlot", "scoring_points": []}]);
    put_json(folder.path(), "MLVU/json/8_sub_scene.json", &generative);
    put_json(
        folder.path(),
        "MLVU/json/9_summary.json",
        &json!([{"video": "s.mp4", "duration": 9, "question": "Sum up.", "answer": "…", "question_type": "summary"}]),
    );
    put(folder.path(), "MLVU/video/2_needle/2_needle_a.mp4", "");
    put(folder.path(), "video/5_order/5_order_a.mp4", "");
    put(folder.path(), "video/ego/3_ego_a.mp4", "");
    let loaded = try_load(Task::MlvuDev, folder.path()).unwrap();
    assert_eq!(loaded.samples.len(), 14);
    assert_eq!(loaded.remarks.len(), 1);
    assert!(loaded.remarks[0].starts_with("2 generative questions"), "{:?}", loaded.remarks);
    let needle = &loaded.samples[2];
    assert_eq!(needle.groups, [("task_type".to_owned(), "needle".to_owned())]);
    assert_eq!((needle.id.as_str(), needle.row, needle.video_id.as_str()), ("needle_0", 2, "2_needle_a.mp4"));
    assert_eq!(needle.video, folder.path().join("MLVU/video/2_needle/2_needle_a.mp4"));
    assert_eq!((letter_of(needle), needle.duration_secs), ("B", Some(246.0)));
    assert_eq!(loaded.samples[4].video, folder.path().join("video/ego/3_ego_a.mp4"));
    assert_eq!(loaded.samples[8].video, folder.path().join("video/5_order/5_order_a.mp4"));
    assert_eq!(loaded.samples[0].video, folder.path().join("video/1_plotQA/1_plotQA_a.mp4"));
    assert_eq!(loaded.samples[0].options, ["x", "y"]);
}

#[test]
fn missing_task_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    put_json(folder.path(), "json/4_count.json", &json!([row("count", "a.mp4", &["1", "2"], "2")]));
    let loaded = try_load(Task::MlvuDev, folder.path()).unwrap();
    assert_eq!(loaded.samples[0].id, "count_0");
    assert!(loaded.remarks[0].contains("3_ego.json, 5_order.json"), "{:?}", loaded.remarks);
}

#[test]
fn gold_and_the_question_with_options_equal_the_goldens() {
    for case in golden() {
        let mut row = case["doc"].clone();
        row["video"] = json!("a.mp4");
        row["question_type"] = json!("plotQA");
        let folder = tempfile::tempdir().unwrap();
        put_json(folder.path(), "json/1_plotQA.json", &json!([row]));
        let sample = samples(Task::MlvuDev, folder.path()).remove(0);
        assert_eq!(Value::from(sample.question.as_str()), case["doc"]["question"]);
        assert_eq!(Value::from(lmms_mlvu_question(&sample)), case["lmms_question_field"]);
        let official = case["official_gold"].as_str().unwrap();
        assert_eq!(letter_of(&sample), &official[1..2], "{official}");
    }
}

#[test]
fn candidates_without_or_with_several_matches_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        row("plotQA", "a.mp4", &["x", "y", "x", "z"], "x"),
        row("plotQA", "a.mp4", &["x", "y"], "w"),
        row("plotQA", "a.mp4", &[], "w"),
    ];
    put_json(folder.path(), "json/1_plotQA.json", &json!(rows));
    let samples = samples(Task::MlvuDev, folder.path());
    assert_eq!(samples.iter().map(letter_of).collect::<Vec<_>>(), ["C", "@", "@"]);
    assert_eq!(samples[0].issues, ["2 candidates equal the right answer: the last one, C, counts"]);
    assert_eq!(samples[1].issues, ["the right answer `w` is none of the 2 candidates"]);
    assert_eq!(samples[2].issues, ["there are no candidates"]);
}

#[test]
fn lmms_rows_keep_their_question_and_their_letter() {
    let folder = tempfile::tempdir().unwrap();
    let question = "What does the keeper carry?\n(A) A lamp\n(B) A rope";
    write(
        &folder.path().join("data/test-00000-of-00001.parquet"),
        Compression::SNAPPY,
        &[
            ("video_name", texts(&["needle_1.mp4", "ego_1.mp4"])),
            ("duration", Column::Doubles(vec![600.5, 20.0])),
            ("question", texts(&[question, question])),
            ("candidates", Column::Lists(vec![vec!["A lamp", "A rope"], vec!["A lamp", "A rope"]])),
            ("answer", texts(&["B", "C"])),
            ("task_type", texts(&["needle", "ego"])),
            ("question_id", Column::Longs(vec![7, 8])),
        ],
    );
    put(folder.path(), "needle_1.mp4", "");
    let loaded = try_load(Task::MlvuDev, folder.path()).unwrap();
    assert!(loaded.remarks.is_empty());
    let [first, second] = &loaded.samples[..] else { panic!() };
    assert_eq!((first.id.as_str(), first.question.as_str(), letter_of(first)), ("7", question, "B"));
    assert!(first.options.is_empty());
    assert_eq!(lmms_mlvu_question(first), question);
    assert_eq!(first.video, folder.path().join("needle_1.mp4"));
    assert_eq!((letter_of(second), second.issues.len()), ("@", 1));
}

#[test]
fn the_test_set_needs_no_answers_and_spells_its_needle_task() {
    let folder = tempfile::tempdir().unwrap();
    let mut question = row("findNeedle", "test_1.mp4", &["a", "b", "c", "d", "e", "f"], "");
    question.as_object_mut().unwrap().remove("answer");
    question["question_id"] = json!("NQA_0");
    put_json(folder.path(), "MLVU_Test/leaderboard/test_question.json", &json!([question]));
    put(folder.path(), "video/test_1.mp4", "");
    let sample = samples(Task::MlvuTest, folder.path()).remove(0);
    assert_eq!((sample.id.as_str(), sample.gold.as_deref()), ("NQA_0", None));
    assert_eq!(sample.groups[0].1, "needleQA");
    assert_eq!(sample.video, folder.path().join("video/test_1.mp4"));
    assert!(sample.issues.is_empty());
}

#[test]
fn missing_fields_of_either_form_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let lmms = json!({"video_name": "a.mp4", "question": "?", "answer": "A", "task_type": "ego", "question_id": "1"});
    let official = row("ego", "a.mp4", &["x"], "x");
    for (whole, keys) in [
        (lmms, &["video_name", "question", "answer"][..]),
        (official, &["video", "question", "answer", "candidates", "question_type"]),
    ] {
        for key in keys {
            let mut row = whole.clone();
            row.as_object_mut().unwrap().remove(*key);
            put_json(folder.path(), "json/3_ego.json", &json!([row]));
            let message = refusal(try_load(Task::MlvuDev, folder.path()), "3_ego.json: row 0: ");
            assert!(message.contains(&format!("`{key}` is missing")), "{message}");
        }
    }
}
