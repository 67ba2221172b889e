//! Benchmarks that keep their answers hidden: the files that they take.

use crate::eval_bench::{Bench, longvideobench_row, read_json, records, results};
use crate::program::assert_names;
use serde_json::{Value, json};

/// `[{question_id, question_type, option}]`, in the order of the questions.
#[test]
fn mlvu_test_writes_its_submission() {
    let bench = Bench::empty("mlvu-test");
    // Enough that some answer of an untrained model holds a letter.
    let kinds = ["plotQA", "needleQA", "sportsQA"].repeat(4);
    let row = |number: usize, kind: &str| {
        json!({
            "question_id": format!("TQ_{number}"),
            "video": "a.mp4",
            "duration": 3.0,
            "question": format!("What is seen, number {number}?"),
            "candidates": ["Red", "Blue", "Green", "Grey", "White", "Black"],
            "question_type": kind,
        })
    };
    bench.write(
        "test_question.json",
        Value::Array(kinds.iter().enumerate().map(|(i, kind)| row(i + 1, kind)).collect()).to_string(),
    );
    bench.add_clip("video/a.mp4");
    let outcome = bench.eval("run").run().succeeded();
    assert_names(&outcome.stdout, &["answers hidden by the benchmark: 12"]);
    let run = bench.run_folder("run");
    let records = records(&run);
    let expected: Vec<Value> = records
        .iter()
        .zip(&kinds)
        .map(|(record, kind)| json!({ "question_id": record["id"], "question_type": kind, "option": record["prediction"] }))
        .collect();
    assert_eq!(read_json(run.join("submission.json")), json!(expected));
    assert_eq!(records[0]["id"], "TQ_1");
    assert!(
        records.iter().any(|record| record["prediction"] != ""),
        "no letter by chance: choose another seed"
    );
    let results = results(&run);
    assert_eq!((&results["value"], &results["counts"]["hidden_gold"]), (&Value::Null, &12.into()));
    let again = bench.eval("scored").args("--json").run().succeeded().json_lines();
    let files = again.last().unwrap()["files"].as_array().unwrap();
    assert!(files.iter().any(|file| file.as_str().unwrap().ends_with("submission.json")));
}

/// `{id: raw response}`.
#[test]
fn longvideobench_test_split() {
    let bench = Bench::empty("longvideobench");
    let row = |number: usize, choice: Option<i64>| {
        let mut row = longvideobench_row(&format!("a_{number}"), &format!("What is number {number}?"));
        row["correct_choice"] = choice.into();
        row
    };
    bench.write("lvb_test_wo_gt.json", json!([row(0, None), row(1, Some(-1))]).to_string());
    bench.add_clip("videos/a.mp4");
    bench.eval("run").args("--test-split").text();
    let run = bench.run_folder("run");
    let expected: serde_json::Map<String, Value> = records(&run)
        .into_iter()
        .map(|record| (record["id"].as_str().unwrap().to_owned(), record["response"].clone()))
        .collect();
    assert_eq!(expected.len(), 2);
    assert_eq!(read_json(run.join("submission.json")), Value::Object(expected));
    assert_eq!(results(&run)["value"], Value::Null);
    let message = bench.eval("validation").failure();
    assert_names(&message, &["no annotations", "longvideobench"]);
}

/// Video-MME's own result file.
#[test]
fn videomme_official_writes_its_result_file() {
    let bench = Bench::videomme(2, |_, _| {});
    std::fs::remove_file(bench.data().join("data/v1.mp4")).unwrap();
    bench.eval("run").args("--profile videomme-official").text();
    let run = bench.run_folder("run");
    let file = read_json(run.join("submission.json"));
    let records = records(&run);
    assert_eq!(file.as_array().unwrap().len(), 2);
    for (video, questions) in records.chunks(3).enumerate() {
        let entry = &file[video];
        assert_eq!(entry["video_id"], format!("{:03}", video + 1));
        assert_eq!((&entry["domain"], &entry["sub_category"]), (&"Knowledge".into(), &"Astronomy".into()));
        assert_eq!(entry["duration"], ["short", "medium"][video]);
        let expected: Vec<Value> = questions
            .iter()
            .map(|record| {
                json!({
                    "question_id": record["id"],
                    "task_type": record["groups"][3][1],
                    "question": record["question"],
                    "options": record["options"],
                    "answer": record["gold"],
                    "response": record["response"].as_str().unwrap_or_default(),
                })
            })
            .collect();
        assert_eq!(entry["questions"], json!(expected));
    }
}
