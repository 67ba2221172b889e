//! Imperfect data: what is refused, what is asked and counted wrong, what is recorded as failed.

use crate::eval_bench::{Bench, eval, longvideobench_row, mlvu_row, records, results};
use crate::program::assert_names;
use serde_json::{Value, json};

#[test]
fn a_video_that_fails_is_recorded_listed_and_never_answered_blind() {
    let bench = Bench::videomme(3, |_, _| {});
    std::fs::remove_file(bench.data().join("data/v1.mp4")).unwrap();
    bench.write("data/v2.mp4", "This is a text, not a video.\n");
    let table = bench.eval("run").text();
    let run = bench.run_folder("run");
    let results = results(&run);
    let counts = &results["counts"];
    assert_eq!(
        (&counts["samples"], &counts["answered"], &counts["failed"]),
        (&9.into(), &3.into(), &6.into())
    );
    assert_eq!(results["all"]["total"], 9, "failed ones count as wrong");
    let records = records(&run);
    let answered: Vec<bool> = records.iter().map(|record| record["response"].is_string()).collect();
    assert_eq!(answered, [true, true, true, false, false, false, false, false, false]);
    let failures = results["failures"].as_array().unwrap();
    for (row, failure) in (3..9).zip(failures) {
        let video = if row < 6 { "v1" } else { "v2" };
        assert_eq!((&failure["id"], &failure["video_id"]), (&records[row]["id"], &video.into()));
        assert_names(failure["reason"].as_str().unwrap(), &[&format!("{video}.mp4")]);
        let record = &records[row];
        assert_eq!((&record["score"], &record["prediction"]), (&0.0.into(), &"".into()));
        assert_eq!((record.get("receipt_digest"), record.get("measured")), (None, None));
        assert_eq!(record["failure"], failure["reason"]);
    }
    assert_eq!(failures.len(), 6);
    assert_names(&table, &["6 questions whose video failed", "002-1 (v1)", "/9 right"]);
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert_names(&report, &["002-1", "003-3", "v2.mp4"]);
    let before = std::fs::read(run.join("responses.jsonl")).unwrap();
    bench.run("run");
    assert_eq!(
        std::fs::read(run.join("responses.jsonl")).unwrap(),
        before,
        "failures are not asked again unasked"
    );
    bench.add_clip("data/v1.mp4");
    bench.eval("run").args("--retry-failed").text();
    let counts = &crate::eval_bench::results(&run)["counts"];
    assert_eq!(
        (&counts["samples"], &counts["answered"], &counts["failed"]),
        (&9.into(), &6.into(), &3.into())
    );
}

#[test]
fn unknown_fields_are_ignored() {
    let plain = Bench::videomme(1, |_, _| {});
    let with_more = Bench::videomme(1, |row, value| value["annotator"] = json!({ "name": row, "notes": [] }));
    let run = plain.run("run");
    eval("videomme", &with_more.data(), &run).text();
    assert_eq!(records(&with_more.run("run")).len(), 3);
}

/// Refused at load, with file, row and key; nothing is asked.
#[test]
fn a_missing_required_field_is_refused() {
    for key in ["videoID", "question_id", "question", "options", "answer", "duration", "domain", "task_type"]
    {
        let bench = Bench::videomme(2, |row, value| {
            if row == 4 {
                value.as_object_mut().unwrap().remove(key);
            }
        });
        let message = bench.eval("run").failure();
        assert_names(&message, &["test.jsonl", "row 4", &format!("`{key}` is missing")]);
        assert!(!bench.run_folder("run").exists());
    }
    for key in ["video", "question", "candidates", "answer", "question_type"] {
        let bench = mlvu(|row| drop(row.as_object_mut().unwrap().remove(key)));
        assert_names(
            &bench.eval("run").failure(),
            &["1_plotQA.json", "row 1", &format!("`{key}` is missing")],
        );
    }
    for key in
        ["id", "video_path", "question", "correct_choice", "duration", "duration_group", "question_category"]
    {
        let bench = longvideobench(|row| drop(row.as_object_mut().unwrap().remove(key)));
        assert_names(
            &bench.eval("run").failure(),
            &["lvb_val.json", "row 1", &format!("`{key}` is missing")],
        );
    }
}

/// Asked, counted wrong, listed.
#[test]
fn no_candidates_and_a_right_answer_outside_them() {
    let videomme = Bench::videomme(1, |row, value| match row {
        0 => value["options"] = json!([]),
        1 => value["answer"] = "E".into(),
        _ => {}
    });
    let ids = ["001-1", "001-2"];
    check_listed(&videomme, &ids, &["no candidates", "`E` is none of the 4"]);

    check_listed(&mlvu(|row| row["candidates"] = json!([])), &["plotQA_1"], &["no candidates"]);
    let outside = mlvu(|row| row["answer"] = "Purple".into());
    check_listed(&outside, &["plotQA_1"], &["`Purple` is none of the 4"]);

    check_listed(&longvideobench(|row| row["candidates"] = json!([])), &["b_0"], &["no candidates"]);
    let outside = longvideobench(|row| row["correct_choice"] = 7.into());
    check_listed(&outside, &["b_0"], &["number 7 from 0, is none of the 4"]);
}

#[track_caller]
fn check_listed(bench: &Bench, ids: &[&str], reasons: &[&str]) {
    let table = bench.eval("run").text();
    let run = bench.run_folder("run");
    let imperfect = results(&run)["imperfect"].clone();
    assert_eq!(imperfect.as_array().unwrap().len(), ids.len(), "{imperfect}");
    for ((listed, id), reason) in imperfect.as_array().unwrap().iter().zip(ids).zip(reasons) {
        assert_eq!(listed["id"], **id);
        assert_names(listed["reason"].as_str().unwrap(), &[reason]);
        let record = records(&run).into_iter().find(|record| record["id"] == **id).unwrap();
        assert!(record["response"].is_string(), "asked");
        assert_eq!((&record["score"], &record["gold"]), (&0.0.into(), &"@".into()), "counted wrong");
        assert_names(&table, &["imperfect annotation", id]);
        assert_names(&std::fs::read_to_string(run.join("report.html")).unwrap(), &[id]);
    }
    assert_eq!(results(&run)["all"]["total"], results(&run)["counts"]["samples"]);
}

/// Two rows of MLVU's first task; `change` sees the second.
fn mlvu(change: impl FnOnce(&mut Value)) -> Bench {
    let bench = Bench::empty("mlvu-dev");
    let row = mlvu_row("What is seen?");
    let mut second = row.clone();
    change(&mut second);
    bench.write("json/1_plotQA.json", json!([row, second]).to_string());
    bench.add_clip("video/1_plotQA/a.mp4");
    bench
}

/// Two rows of LongVideoBench's raw form; `change` sees the second.
fn longvideobench(change: impl FnOnce(&mut Value)) -> Bench {
    let bench = Bench::empty("longvideobench");
    let row = |id: &str| longvideobench_row(id, "What is seen?");
    let (first, mut second) = (row("a_0"), row("b_0"));
    change(&mut second);
    bench.write("lvb_val.json", json!([first, second]).to_string());
    bench.add_clip("videos/a.mp4");
    bench
}

/// The interleaved task takes a frame a whole second: a row that claims less has none, which is no reason to stop the run.
#[test]
fn a_duration_of_less_than_a_second() {
    let bench = Bench::empty("longvideobench-subs");
    let mut rows = [longvideobench_row("a_0", "What is it?"), longvideobench_row("b_0", "Who is it?")];
    rows[0]["duration"] = 0.5.into();
    bench.write("lvb_val.json", serde_json::Value::from(rows.to_vec()).to_string());
    for row in &rows {
        bench.add_clip(&format!("videos/{}", row["video_path"].as_str().unwrap()));
    }
    let run = bench.run("run");
    let records = records(&run);
    assert_names(records[0]["failure"].as_str().unwrap(), &["0.5 s", "no whole second"]);
    assert!(records[1]["response"].is_string());
    assert_eq!(results(&run)["counts"]["failed"], 1);
}
