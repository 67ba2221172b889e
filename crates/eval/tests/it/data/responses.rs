use super::{group, mlvu, put, put_json, refusal, samples, videomme};
use longsight_eval::data::responses;
use longsight_eval::{Record, Result, Sample, Task};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn read(task: Task, path: &Path, samples: Option<&[Sample]>) -> Result<Vec<Record>> {
    responses(task, path, samples)?.collect()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, content: impl AsRef<[u8]>) -> PathBuf {
        put(self.0.path(), "answers", content);
        self.0.path().join("answers")
    }
}

fn own(id: &str) -> Record {
    let groups = vec![("duration".into(), "short".into())];
    Record {
        id: id.into(),
        row: 3,
        video_id: "v".into(),
        groups,
        question: "?".into(),
        options: vec!["A. x".into()],
        gold: Some("A".into()),
        issues: vec![],
        response: Some("A\n".into()),
        failure: None,
        prediction: "A".into(),
        score: 1.0,
        receipt_digest: None,
        measured: None,
    }
}

fn line(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap() + "\n"
}

/// As lmms-eval 0.4 and later writes a line: no doc, one answer, not in a list.
fn videomme_log(place: usize, video: &str, number: usize, answer: &str) -> Value {
    json!({
        "doc_id": place, "target": "B", "filtered_resps": answer, "token_counts": [null], "doc_hash": "0", "input": "…",
        "videomme_perception_score": {
            "question_id": format!("{video}-{number}"), "duration": "short", "category": "Knowledge", "sub_category": "Law",
            "task_category": "OCR Problems", "pred_answer": "A", "answer": "B", "score": 0.0, "videoID": format!("v{video}"),
        },
    })
}

/// As 0.2 to 0.3 do: with the row, and lists around the answers.
fn with_doc(place: usize, doc: &Value, answer: &str) -> Value {
    json!({"doc_id": place, "doc": doc, "target": "B", "arguments": {}, "resps": [[answer]], "filtered_resps": [answer]})
}

#[test]
fn our_own_lines_come_back_as_they_were() {
    let folder = Folder::new();
    let records = vec![own("a"), own("b")];
    let text: String = records.iter().map(line).collect();
    assert_eq!(read(Task::VideoMme, &folder.file(&text), None).unwrap(), records);
    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(read(Task::VideoMme, &folder.file(windows), None).unwrap(), records);
}

#[test]
fn a_last_line_cut_off_anywhere_is_left_out_with_a_remark() {
    let folder = Folder::new();
    let (first, last) = (line(&own("a")), line(&own("b")));
    for cut in 1..last.len() - 1 {
        let path = folder.file(format!("{first}{}", &last[..cut]));
        let mut found = responses(Task::VideoMme, &path, None).unwrap();
        let records: Vec<Record> = found.by_ref().collect::<Result<_>>().unwrap();
        assert_eq!(records, [own("a")]);
        assert!(found.remarks()[0].contains("cut off"), "{:?}", found.remarks());
    }
    assert_eq!(
        read(Task::VideoMme, &folder.file(format!("{first}{}", last.trim_end())), None).unwrap().len(),
        2
    );
    assert_eq!(read(Task::VideoMme, &folder.file(&last[..9]), None).unwrap(), []);
    assert_eq!(read(Task::VideoMme, &folder.file(""), None).unwrap(), []);
}

#[test]
fn a_broken_line_in_the_middle_ends_the_reading_with_its_number() {
    let folder = Folder::new();
    let path = folder.file(format!("{}{{\"id\": x}}\n{}", line(&own("a")), line(&own("b"))));
    let mut found = responses(Task::VideoMme, &path, None).unwrap();
    assert!(found.next().unwrap().is_ok());
    refusal(found.next().unwrap(), "answers: row 1: not valid JSON");
    assert!(found.next().is_none());
}

#[test]
fn our_own_line_that_lacks_a_field_is_refused() {
    let folder = Folder::new();
    let mut value = serde_json::to_value(own("a")).unwrap();
    value.as_object_mut().unwrap().remove("video_id");
    let message = refusal(read(Task::VideoMme, &folder.file(line(&value)), None), "row 0: ");
    assert!(message.contains("video_id"), "{message}");
}

#[test]
fn lmms_lines_without_doc_are_read_off_their_metric() {
    let folder = Folder::new();
    let mut old = videomme_log(1, "002", 1, "B");
    let mut metric = old.as_object_mut().unwrap().remove("videomme_perception_score").unwrap();
    metric.as_object_mut().unwrap().remove("videoID");
    old["videomme_percetion_score"] = metric;
    let path = folder.file(line(&videomme_log(0, "001", 1, "The answer is B.")) + &line(&old));
    let records = read(Task::VideoMme, &path, None).unwrap();
    assert_eq!(records[0].id, "001-1");
    assert_eq!((records[0].row, records[0].video_id.as_str()), (0, "v001"));
    assert_eq!(records[0].response.as_deref(), Some("The answer is B."));
    assert_eq!((records[0].gold.as_deref(), records[0].failure.as_deref()), (Some("B"), None));
    assert_eq!((records[0].prediction.as_str(), records[0].score), ("", 0.0));
    assert_eq!(group(&records[0].groups, "domain"), "Knowledge");
    assert_eq!(group(&records[0].groups, "task_type"), "OCR Problems");
    assert_eq!(records[1].video_id, "002", "questions of one video stay together");
}

#[test]
fn both_forms_of_logs_with_doc_need_no_annotations() {
    let folder = Folder::new();
    let entries = [with_doc(0, &videomme::row("001", 1), "A"), with_doc(1, &videomme::row("001", 2), " B")];
    let lines: String = entries.iter().map(line).collect();
    let from_lines = read(Task::VideoMme, &folder.file(lines), None).unwrap();
    assert_eq!(from_lines[1].options[0], "A. One.");
    assert_eq!((from_lines[1].id.as_str(), from_lines[1].response.as_deref()), ("001-2", Some(" B")));
    // "logs" as a string and inside another object is not the list.
    let whole =
        json!({"args": {"a": "logs", "logs": [1]}, "model_configs": [{}, "}"], "logs": entries, "time": "t"});
    for text in [serde_json::to_string_pretty(&whole).unwrap(), whole.to_string()] {
        assert_eq!(read(Task::VideoMme, &folder.file(text), None).unwrap(), from_lines);
    }
}

#[test]
fn mlvu_logs_join_by_text_and_place() {
    let folder = Folder::new();
    let same = || mlvu::row("ego", "b.mp4", &["x", "y"], "x");
    put_json(
        folder.0.path(),
        "json/3_ego.json",
        &json!([mlvu::row("ego", "a.mp4", &["p", "q"], "q"), same(), same()]),
    );
    let samples = samples(Task::MlvuDev, folder.0.path());
    let log = |place: usize, options: &str, answer: &str| {
        let question = format!("What does the keeper carry?{options}");
        let metric = json!({"question_id": question, "task_type": "ego", "pred_answer": "A", "answer": "A"});
        line(
            &json!({"doc_id": place, "target": "A", "filtered_resps": [answer], "mlvu_percetion_score": metric}),
        )
    };
    // The first is elsewhere in lmms-eval's order; the others share their text, so the place tells which is meant.
    let text = log(7, "\n(A) p\n(B) q\n", "one")
        + &log(2, "\n(A) x\n(B) y", "two")
        + &log(1, "\n(A) x\n(B) y", "three");
    let joined = read(Task::MlvuDev, &folder.file(&text), Some(&samples)).unwrap();
    let ids: Vec<_> =
        joined.iter().map(|record| (record.id.as_str(), record.row, record.video_id.as_str())).collect();
    assert_eq!(ids, [("ego_0", 0, "a.mp4"), ("ego_2", 2, "b.mp4"), ("ego_1", 1, "b.mp4")]);
    assert_eq!(joined[0].gold.as_deref(), Some("B"), "the annotation's");
    let path = folder.file(&text);
    let mut alone = responses(Task::MlvuDev, &path, None).unwrap();
    let records: Vec<Record> = alone.by_ref().collect::<Result<_>>().unwrap();
    let ids: Vec<_> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["ego_7", "ego_2", "ego_1"]);
    assert_eq!((records[0].gold.as_deref(), group(&records[0].groups, "task_type")), (Some("A"), "ego"));
    assert!(alone.remarks()[0].contains("--data") && alone.remarks().len() == 1, "{:?}", alone.remarks());
}

#[test]
fn mlvu_questions_that_share_their_text_are_not_confused() {
    let folder = Folder::new();
    let rows = ["a.mp4", "b.mp4"].map(|video| mlvu::row("ego", video, &["x", "y"], "x"));
    put_json(folder.0.path(), "json/3_ego.json", &json!(rows));
    let samples = samples(Task::MlvuDev, folder.0.path());
    let metric = json!({"question_id": "What does the keeper carry?\n(A) x\n(B) y", "task_type": "ego", "answer": "A"});
    let path =
        folder.file(line(&json!({"doc_id": 9, "filtered_resps": "A", "mlvu_percetion_score": metric})));
    let mut found = responses(Task::MlvuDev, &path, Some(&samples)).unwrap();
    let record = found.next().unwrap().unwrap();
    assert_eq!((record.id.as_str(), record.row, record.gold.as_deref()), ("ego_9", 9, Some("A")));
    assert!(found.remarks()[0].contains("share their text"), "{:?}", found.remarks());
}

#[test]
fn longvideobench_logs_keep_both_buckets() {
    let folder = Folder::new();
    let metric = json!({"id": "ab_c_0", "duration_group": 600, "question_category": "S2E", "answer": "D", "parsed_pred": "A"});
    let entry = json!({"doc_id": 5, "target": "3", "filtered_resps": "D. x", "lvb_acc": metric, "submission": {"ab_c_0": "D. x"}});
    let record = read(Task::LongVideoBench, &folder.file(line(&entry)), None).unwrap().remove(0);
    assert_eq!((record.id.as_str(), record.video_id.as_str(), record.row), ("ab_c_0", "ab_c", 5));
    assert_eq!(
        (group(&record.groups, "duration_group"), group(&record.groups, "question_category")),
        ("600", "S2E")
    );
    assert_eq!(record.gold.as_deref(), Some("D"));
}

#[test]
fn answers_join_with_annotations_by_id() {
    let folder = Folder::new();
    put_json(folder.0.path(), "test.json", &json!([videomme::row("001", 1), videomme::row("002", 1)]));
    let samples = samples(Task::VideoMme, folder.0.path());
    let record = read(Task::VideoMme, &folder.file(line(&videomme_log(9, "002", 1, "B"))), Some(&samples))
        .unwrap()
        .remove(0);
    assert_eq!(
        (record.row, record.options.len(), group(&record.groups, "task_type")),
        (1, 4, "Counting Problem")
    );
    let message = refusal(
        read(Task::VideoMme, &folder.file(line(&videomme_log(0, "003", 1, "B"))), Some(&samples)),
        "row 0: ",
    );
    assert!(message.contains("`003-1` is not in the annotations"), "{message}");
}

#[test]
fn the_result_file_of_video_mme_gives_one_record_a_question() {
    let folder = Folder::new();
    let question = |number: usize, response: Value| {
        json!({"question_id": format!("001-{number}"), "task_type": "OCR Problems", "question": "?",
            "options": ["A. x", "B. y", "C. z", "D. w"], "answer": "D", "response": response})
    };
    let video = json!([{"video_id": "001", "duration": "medium", "domain": "Knowledge", "sub_category": "Law",
        "questions": [question(1, json!("D")), question(2, json!("")), question(3, Value::Null)]}]);
    let records = read(Task::VideoMme, &folder.file(video.to_string()), None).unwrap();
    let answers: Vec<_> =
        records.iter().map(|record| (record.id.as_str(), record.response.as_deref())).collect();
    assert_eq!(answers, [("001-1", Some("D")), ("001-2", Some("")), ("001-3", None)]);
    assert_eq!(records[2].failure.as_deref(), Some("the file holds no response"));
    assert_eq!(group(&records[0].groups, "duration"), "medium");
    assert_eq!((records[0].video_id.as_str(), records[0].gold.as_deref()), ("001", Some("D")));
    refusal(read(Task::MlvuDev, &folder.file(video.to_string()), None), "the task is mlvu-dev");
}

#[test]
fn the_submission_of_mlvu_takes_its_gold_from_the_annotations() {
    let folder = Folder::new();
    let mut row = mlvu::row("ego", "a.mp4", &["x", "y"], "y");
    row["question_id"] = json!("ER_0");
    put_json(folder.0.path(), "test_question.json", &json!([row]));
    let samples = samples(Task::MlvuTest, folder.0.path());
    let path =
        folder.file(json!([{"question_id": "ER_0", "question_type": "ego", "option": "B"}]).to_string());
    let record = read(Task::MlvuTest, &path, Some(&samples)).unwrap().remove(0);
    assert_eq!((record.gold.as_deref(), record.response.as_deref()), (Some("B"), Some("B")));
    assert!(refusal(read(Task::MlvuTest, &path, None), "row 0: ").contains("--data"));
}

#[test]
fn the_answers_of_mlvus_own_script_hold_their_gold() {
    let folder = Folder::new();
    let entry = json!({"pred": "C) bell", "gt": "(C) A bell", "question": "…", "question_type": "ego", "video": "/v/ego/a.mp4"});
    let text = json!({"acc_dict": {"ego": [1, 1]}, "res_list": [entry]}).to_string();
    let record = read(Task::MlvuDev, &folder.file(text), None).unwrap().remove(0);
    assert_eq!((record.gold.as_deref(), record.response.as_deref()), (Some("C"), Some("C) bell")));
    assert_eq!((record.id.as_str(), record.video_id.as_str()), ("ego_0", "a.mp4"));
}

#[test]
fn the_needle_task_of_mlvus_result_lists_has_the_name_of_its_breakdown() {
    let folder = Folder::new();
    for kind in ["findNeedle", "needle", "needleQA"] {
        let entry =
            json!({"pred": "(A)", "gt": "(A) x", "question": "…", "question_type": kind, "video": "a.mp4"});
        let text = json!({"acc_dict": {kind: [1, 1]}, "res_list": [entry]}).to_string();
        let record = read(Task::MlvuDev, &folder.file(text), None).unwrap().remove(0);
        assert_eq!(
            (record.id.as_str(), group(&record.groups, "task_type")),
            ("needle_0", "needle"),
            "{kind}"
        );
        let log = json!({"doc_id": 0, "filtered_resps": "A", "mlvu_percetion_score": {
            "question_id": "What?", "task_type": kind, "pred_answer": "A", "answer": "A"}});
        for (task, name) in [(Task::MlvuDev, "needle"), (Task::MlvuTest, "needleQA")] {
            let record = read(task, &folder.file(line(&log)), None).unwrap().remove(0);
            assert_eq!(group(&record.groups, "task_type"), name, "{kind}");
        }
    }
}

#[test]
fn files_that_hold_no_answers_are_refused() {
    let folder = Folder::new();
    let cases = [
        ("{\"a\": 1, \"b\": 2}", "its keys are `a, b`"),
        ("[1]", "expected a JSON object"),
        ("plain text", "expected a JSON object"),
        ("{\"doc_id\": 0, \"filtered_resps\": []}", "`filtered_resps` is empty"),
        ("{\"doc_id\": 0, \"filtered_resps\": [{}]}", "must be a string, or lists around one"),
        ("{\"doc_id\": 0, \"filtered_resps\": \"A\"}", "has neither `doc` nor the metric of videomme"),
        ("{\"doc_id\": 0, \"filtered_resps\": \"A\", \"doc\": 3}", "`doc` must be an object"),
        ("{\"doc_id\": 0, \"filtered_resps\": \"A\", \"lvb_acc\": {}}", "is no metric of videomme"),
        ("{\"logs\": [{\"filtered_resps\": \"A\", \"doc\": {}}]}", "row 0: `videoID` is missing"),
    ];
    for (text, said) in cases {
        let message = refusal(read(Task::VideoMme, &folder.file(text), None), "answers: row 0: ");
        assert!(message.contains(said), "{text}: {message}");
    }
    refusal(read(Task::VideoMme, folder.0.path(), None), "is a folder");
    refusal(read(Task::VideoMme, &folder.0.path().join("nothing"), None), "cannot be read");
}
