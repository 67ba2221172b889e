//! Scoring responses made elsewhere, comparing, merging and reporting runs.

use crate::eval_bench::{Bench, records, results, videomme_row};
use crate::program::{Program, assert_names, longsight};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn score(task: &str, responses: &Path) -> Program {
    longsight("eval").arg("score").arg(task).arg("--responses").arg(responses)
}

fn compare(a: &Path, b: &Path) -> Program {
    longsight("eval").arg("compare").arg(a).arg(b)
}

fn merge(shards: &[PathBuf], out: &Path) -> Program {
    let program = shards.iter().fold(longsight("eval").arg("merge"), |program, shard| program.arg(shard));
    program.arg("--out").arg(out)
}

#[test]
fn our_own_responses_score_to_the_runs_numbers() {
    let bench = Bench::videomme(3, |row, value| {
        if row == 1 {
            value["answer"] = "E".into();
        }
    });
    std::fs::remove_file(bench.data().join("data/v2.mp4")).unwrap();
    let run = bench.run("run");
    let log = run.join("responses.jsonl");
    assert_eq!(score("videomme", &log).json(), results(&run));
    assert_eq!(score("videomme", &log).arg("--data").arg(bench.data()).json(), results(&run));
    let table = score("videomme", &log).text();
    assert_eq!(table, bench.eval("run").text(), "the same table");
    let official = score("videomme", &log).args("--profile videomme-official").json();
    let unparsed = official["unparsed"].as_array().unwrap().len();
    assert!(unparsed > 0, "every answer holds a letter by chance: choose another seed");
    assert_eq!(official["all"]["total"], 9 - unparsed, "the official script drops rows without a letter");
}

/// An entry of `--log_samples` holds the filtered response and what the metric was given.
#[test]
fn lmms_eval_sample_logs() {
    let bench = Bench::videomme(2, |_, _| {});
    let said = ["A", "The answer is C.", "no idea", "D. Grey.", "A", "(C)"];
    let right = ["A", "", "", "D", "A", ""]; // the gold letters are A B C D A B
    let entry = |row: usize| {
        let sample = videomme_row(row);
        json!({
            "doc_id": row,
            "target": sample["answer"],
            "resps": [[said[row]]],
            "filtered_resps": [said[row]],
            "videomme_perception_score": {
                "question_id": sample["question_id"],
                "duration": sample["duration"],
                "category": sample["domain"],
                "sub_category": sample["sub_category"],
                "task_category": sample["task_type"],
                "pred_answer": said[row],
                "answer": sample["answer"],
                "videoID": sample["videoID"],
            },
        })
    };
    let log: String = (0..6).map(|row| format!("{}\n", entry(row))).collect();
    bench.write("log.txt", log);
    let correct = right.iter().filter(|letter| !letter.is_empty()).count();
    for program in [
        score("videomme", &bench.data().join("log.txt")),
        score("videomme", &bench.data().join("log.txt")).arg("--data").arg(bench.data()),
    ] {
        let results = program.json();
        assert_eq!((&results["all"]["correct"], &results["all"]["total"]), (&correct.into(), &6.into()));
        assert_eq!(results["value"], 50.0);
        assert_eq!(results["unparsed"], json!(["001-3"]));
        let durations: Vec<&Value> = results["breakdowns"][0]["rows"].as_array().unwrap().iter().collect();
        let values: Vec<f64> = durations.iter().map(|row| row["value"].as_f64().unwrap()).collect();
        assert!(
            (values[0] - 100.0 / 3.0).abs() < 1e-9 && (values[1] - 200.0 / 3.0).abs() < 1e-9,
            "{values:?}"
        );
    }
    let message = score("mlvu-dev", &bench.data().join("log.txt")).failure();
    assert_names(&message, &["log.txt", "row 0", "videomme_perception_score", "mlvu-dev"]);
}

#[test]
fn responses_that_cannot_be_scored() {
    let bench = Bench::videomme(1, |_, _| {});
    let file = |name: &str, text: &str| {
        bench.write(name, text);
        bench.data().join(name)
    };
    assert_names(&score("videomme", &file("empty", "")).failure(), &["empty", "holds no responses"]);
    assert_names(&score("videomme", &file("list", "[1, 2]")).failure(), &["list", "row 0"]);
    assert_names(&score("videomme", &file("other", "{\"a\": 1}\n")).failure(), &["other", "row 0", "a"]);
    assert_names(&score("videomme", &bench.data().join("none")).failure(), &["none"]);
    assert_names(&score("videomme", &bench.data()).failure(), &["is a folder"]);
    let message = score("videomme", &file("fine", "")).args("--profile lvb").failure();
    assert_names(&message, &["--profile lvb", "another benchmark"]);
    let run = bench.run("run");
    let text = std::fs::read_to_string(run.join("responses.jsonl")).unwrap();
    let torn = score("videomme", &file("torn", &text[..text.len() - 20])).args("--json").run().succeeded();
    assert_eq!(torn.json_lines()[0]["counts"]["samples"], 2, "the last line is cut off");
    assert_names(&torn.stderr, &["torn", "cut off"]);
    let twice = score("videomme", &file("twice", &format!("{text}{text}"))).failure();
    assert_names(&twice, &["twice", "001-1 is there twice"]);
    let other = score("mlvu-dev", &run.join("responses.jsonl")).failure();
    assert_names(&other, &["001-1", "no question of mlvu-dev"]);
}

#[test]
fn equal_runs_do_not_differ() {
    let bench = Bench::videomme(2, |_, _| {});
    let (a, b) = (bench.run("a"), bench.run("b"));
    let comparison = compare(&a, &b).json();
    assert_eq!((&comparison["samples"], &comparison["videos"]), (&6.into(), &2.into()));
    for (key, value) in [("difference", 0.0), ("permutation_p", 1.0), ("mcnemar_p", 1.0)] {
        assert_eq!(comparison[key], value, "{key}");
    }
    assert_eq!((&comparison["only_in_a"], &comparison["right_only_in_b"]), (&0.into(), &0.into()));
    assert_names(&compare(&a, &b).text(), &["6 common questions on 2 videos", "p = 1.000"]);
}

#[test]
fn runs_are_compared_question_by_question() {
    let bench = Bench::videomme(3, |_, _| {});
    let (a, b) = (bench.run("a"), bench.run_folder("b"));
    bench.eval("b").args("--seed 3 --limit 8").text();
    let right =
        |run: &Path| -> Vec<bool> { records(run).iter().map(|record| record["score"] == 1.0).collect() };
    let (first, second) = (right(&a), right(&b));
    let only = |x: &[bool], y: &[bool]| (0..8).filter(|&i| x[i] && !y[i]).count();
    let (in_a, in_b) = (only(&first, &second), only(&second, &first));
    assert!(in_a + in_b > 0, "the runs do not differ: choose another seed");
    let report = bench.run_folder("compare.html");
    let comparison = compare(&a, &b).arg("--report").arg(&report).json();
    assert_eq!(
        (&comparison["right_only_in_a"], &comparison["right_only_in_b"]),
        (&in_a.into(), &in_b.into())
    );
    assert_eq!((&comparison["samples"], &comparison["only_in_a"]), (&8.into(), &1.into()));
    let difference = (in_b as f64 - in_a as f64) / 8.0;
    assert!((comparison["difference"].as_f64().unwrap() - difference).abs() < 1e-12);
    let html = std::fs::read_to_string(report).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") || html.starts_with("<!doctype html>"));
    assert!(!html.contains("<script src") && !html.contains("<link"), "self-contained");
}

#[test]
fn runs_that_cannot_be_compared() {
    let bench = Bench::videomme(1, |_, _| {});
    let (a, b) = (bench.run("a"), bench.run_folder("b"));
    bench.eval("b").args("--profile videomme-0.3").text();
    assert_names(&compare(&a, &b).failure(), &["videomme-0.3", "one task and profile"]);
    assert_names(&compare(&a, &bench.data()).failure(), &["data", "no manifest.json"]);
    let (c, d) = (bench.run_folder("c"), bench.run_folder("d"));
    bench.eval("c").args("--filter id=001-1").text();
    bench.eval("d").args("--filter id=001-2").text();
    assert_names(&compare(&c, &d).failure(), &["no question", "in common"]);
}

#[test]
fn a_report_of_several_runs() {
    let bench = Bench::videomme(1, |_, _| {});
    let (a, b, out) = (bench.run("first-run"), bench.run_folder("second-run"), bench.run_folder("both.html"));
    bench.eval("second-run").args("--frames 2").text();
    let report = || longsight("eval").arg("report").arg(&a).arg(&b).arg("--out").arg(&out);
    report().text();
    let html = std::fs::read_to_string(&out).unwrap();
    assert_names(&html, &["first-run", "second-run", "Video-MME", "<svg"]);
    report().text();
    assert_eq!(std::fs::read_to_string(&out).unwrap(), html, "nothing in it depends on the time");
    let message = longsight("eval").arg("report").arg(bench.data()).arg("--out").arg(&out).failure();
    assert_names(&message, &["no manifest.json"]);
}

#[test]
fn only_shards_of_one_run_are_merged() {
    let bench = Bench::videomme(2, |_, _| {});
    let shard = |name: &str, flags: &str| {
        bench.eval(name).args(flags).text();
        bench.run_folder(name)
    };
    let (one, two) = (shard("one", "--shard 1/2"), shard("two", "--shard 2/2"));
    let out = bench.run_folder("out");
    for (name, flags, differing) in [
        ("frames", "--shard 2/2 --frames 3", "frames"),
        ("count", "--shard 2/3", "selection.shard.count"),
        ("seed", "--shard 2/2 --seed 1", "settings.generation.seed"),
    ] {
        let message = merge(&[one.clone(), shard(name, flags)], &out).failure();
        assert_names(&message, &[name, "not a shard of the same run", differing]);
    }
    assert_names(&merge(&[one.clone(), bench.data()], &out).failure(), &["data", "no manifest.json"]);
    assert!(!out.exists(), "refusals leave nothing behind");
    assert_names(&longsight("eval").args("merge --out x").run().failed(2), &["<SHARDS>"]);

    let done = merge(std::slice::from_ref(&one), &bench.run_folder("part")).json();
    assert_eq!((&done["missing"], &done["results"]["counts"]["samples"]), (&3.into(), &3.into()));
    let done = merge(&[two.clone(), one.clone()], &out).json();
    assert_eq!((&done["missing"], &done["results"]["counts"]["samples"]), (&0.into(), &6.into()));
    assert_eq!(
        records(&out).iter().map(|record| record["row"].as_u64().unwrap()).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5]
    );
    assert_names(&merge(&[one.clone(), two.clone()], &out).failure(), &["out", "holds a run already"]);

    let twin = shard("twin", "--shard 1/2");
    let message = merge(&[one, two, twin], &bench.run_folder("third")).failure();
    assert_names(&message, &["twin", "001-1", "another of these folders"]);
}

/// The shard is not kept in the merged manifest.
#[test]
fn a_merged_run_goes_on_as_an_unsharded_one() {
    let bench = Bench::videomme(2, |_, _| {});
    bench.eval("one").args("--shard 1/2").text();
    let merged = bench.run_folder("merged");
    merge(&[bench.run_folder("one")], &merged).text();
    let events = bench.eval("merged").args("--json").run().succeeded().json_lines();
    assert_eq!((&events[0]["samples"], &events[0]["done"]), (&6.into(), &3.into()));
    assert_eq!(records(&merged).len(), 6);
    assert_eq!(results(&merged), results(&bench.run("whole")));
}
