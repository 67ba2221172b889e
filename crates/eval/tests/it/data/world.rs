use super::{put, refusal, try_load};
use longsight_eval::score::score_record;
use longsight_eval::{Profile, Record, Task};

const ROWS: &str = r#"
{"id":"0-1","video":"videos/0.mp4","kind":"what-number","question":"Which number?","answers":["4","four"],"candidates":[]}
{"id":"0-2","video":"videos/0.mp4","kind":"next","question":"What next?","answers":["7"],"candidates":["7","8","1","2"],"gold":0}
{"id":"0-3","video":"videos/0.mp4","kind":"is-there","question":"Is there?","answers":["no"],"candidates":[]}
"#;

#[test]
fn the_open_ended_questions_are_asked_and_any_accepted_answer_is_right() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "questions.jsonl", ROWS);
    put(folder.path(), "videos/0.mp4", "");
    let loaded = try_load(Task::World, folder.path()).unwrap();
    assert_eq!(loaded.samples.iter().map(|sample| sample.id.as_str()).collect::<Vec<_>>(), ["0-1", "0-3"]);
    assert!(
        loaded.remarks[0].starts_with("1 multiple-choice questions are left out"),
        "{:?}",
        loaded.remarks
    );
    let sample = &loaded.samples[0];
    assert_eq!(
        (sample.video.clone(), sample.gold.as_deref()),
        (folder.path().join("videos/0.mp4"), Some("4"))
    );
    assert_eq!(sample.groups, [("kind".to_owned(), "what-number".to_owned())]);
    for (said, score) in [("Four", 1.0), ("4.", 1.0), ("5", 0.0), ("", 0.0)] {
        let mut record = Record { response: Some(said.into()), ..sample.record() };
        score_record(&mut record, Profile::World);
        assert_eq!(record.score, score, "{said:?}");
    }
}

#[test]
fn rows_that_cannot_be_right_are_refused_by_row_and_key() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to, key) in [
        (r#"["4","four"]"#, "[]", "`answers` is missing"),
        (r#"["4","four"]"#, "4", "`answers` must be a list"),
        ("videos/0.mp4", "../0.mp4", "`video` leaves the folder"),
        (r#""id":"0-1","#, "", "`id` is missing"),
    ] {
        put(folder.path(), "questions.jsonl", ROWS.replacen(from, to, 1));
        let message = refusal(try_load(Task::World, folder.path()), key);
        assert!(message.contains("questions.jsonl"), "{message}");
    }
}
