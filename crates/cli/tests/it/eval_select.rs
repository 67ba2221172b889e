//! Which samples are asked, what is shared between them, and what programs are told.

use crate::eval_bench::{
    Answers, Bench, answers, assert_same_answers, longvideobench_row, mlvu_row, records, results,
};
use crate::program::assert_names;
use serde_json::{Value, json};

#[test]
fn limit_and_filter() {
    let bench = Bench::videomme(3, |_, _| {});
    let ids = |run: &str, flags: &str| {
        bench.eval(run).args(flags).text();
        records(&bench.run_folder(run))
            .iter()
            .map(|r| r["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("limit", "--limit 4"), ["001-1", "001-2", "001-3", "002-1"]);
    assert_eq!(ids("more", "--limit 99 --filter video=v2"), ["003-1", "003-2", "003-3"]);
    assert_eq!(ids("label", "--filter duration=medium --filter id=002-2"), ["002-2"]);
    assert_eq!(ids("first of these", "--filter domain=Knowledge --limit 1"), ["001-1"]);
    let counted = results(&bench.run_folder("label"));
    assert_eq!((&counted["counts"]["samples"], &counted["all"]["total"]), (&1.into(), &1.into()));
}

#[test]
fn selections_that_cannot_be_meant() {
    let bench = Bench::videomme(1, |_, _| {});
    assert_names(
        &bench.eval("run").args("--filter length=short").failure(),
        &["--filter length", "duration", "id"],
    );
    assert_names(
        &bench.eval("run").args("--filter duration=brief").failure(),
        &["duration=brief", "there are short"],
    );
    assert_names(&bench.eval("run").args("--limit 0").failure(), &["--limit 0"]);
    for (flag, value) in [("--filter", "short"), ("--filter", "=short"), ("--limit", "few"), ("--shard", "1")]
    {
        assert_names(&bench.eval("run").arg(flag).arg(value).run().failed(2), &[flag, value]);
    }
    assert!(!bench.run_folder("run").exists());
}

/// One video in three shards: the other two have nothing to do, and that is no error.
#[test]
fn a_shard_without_samples() {
    let bench = Bench::videomme(1, |_, _| {});
    let events = bench.eval("run").args("--shard 2/3 --json").run().succeeded().json_lines();
    let told: Vec<&Value> = events.iter().map(|event| &event["event"]).collect();
    assert_eq!(told, ["start", "done"]);
    assert_eq!((&events[1]["missing"], &events[1]["results"]["value"]), (&3.into(), &Value::Null));
}

#[test]
fn a_folder_without_the_benchmark() {
    let bench = Bench::videomme(1, |_, _| {});
    std::fs::remove_file(bench.data().join("test.jsonl")).unwrap();
    let data = bench.data();
    assert_names(&bench.eval("run").failure(), &[data.to_str().unwrap(), "no annotations", "videomme"]);
    std::fs::remove_dir_all(&data).unwrap();
    assert_names(&bench.eval("run").failure(), &[data.to_str().unwrap(), "--data"]);
}

#[test]
fn programs_are_told_one_object_a_line() {
    let bench = Bench::videomme(2, |_, _| {});
    std::fs::remove_file(bench.data().join("data/v1.mp4")).unwrap();
    let outcome = bench.eval("run").args("--json").run().succeeded();
    assert_eq!(outcome.stderr, "", "quiet");
    let events = outcome.json_lines();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let sample = "sample";
    assert_eq!(names, ["start", "video", sample, sample, sample, "video", sample, sample, sample, "done"]);
    assert_eq!(events[0], json!({ "event": "start", "task": "videomme", "samples": 6, "done": 0 }));
    assert_eq!(events[1]["video_id"], "v0");
    let records = records(&bench.run_folder("run"));
    let told = events.iter().filter(|event| event["event"] == sample);
    for (place, (event, record)) in told.zip(&records).enumerate() {
        for key in ["id", "video_id", "response", "prediction", "gold", "score"] {
            assert_eq!(event[key], record[key], "{key}");
        }
        assert_eq!(event["failure"].is_string(), place >= 3);
        let right = records[..=place].iter().filter(|record| record["score"] == 1.0).count();
        assert_eq!((&event["done"], &event["total"]), (&(place + 1).into(), &6.into()));
        assert_eq!(event["failed"], place.saturating_sub(2));
        assert!((event["accuracy"].as_f64().unwrap() - right as f64 / (place + 1) as f64).abs() < 1e-12);
    }
    let done = &events[9];
    assert_eq!(done["results"], results(&bench.run_folder("run")));
    assert_eq!(done["missing"], 0);
    for file in done["files"].as_array().unwrap() {
        assert!(std::fs::metadata(file.as_str().unwrap()).unwrap().len() > 0, "{file}");
    }
}

#[test]
fn people_see_tables_and_files() {
    let bench = Bench::videomme(1, |_, _| {});
    let outcome = bench.eval("run").run().succeeded();
    assert_names(&outcome.stdout, &["Video-MME", "profile videomme", "overall", "short", "Counting Problem"]);
    assert_eq!(outcome.stderr, "");
}

/// Questions on one video cost its decoding and encoding once; each is answered as in a run of its own.
#[test]
fn questions_on_one_video_share_it_and_are_answered_as_if_alone() {
    check_shared(&Bench::videomme(1, |_, _| {}), "");
    check_shared(&mlvu(), "--profile mlvu-official");
    check_shared(&longvideobench(), "");
}

fn check_shared(bench: &Bench, flags: &str) {
    bench.eval("together").args(flags).text();
    let together = bench.run_folder("together");
    let records = records(&together);
    let shared: Vec<bool> =
        records.iter().map(|record| record["measured"]["shared_video"].as_bool().unwrap()).collect();
    assert_eq!(shared, [false, true, true]);
    let mut alone = Answers::new();
    for record in &records {
        let id = record["id"].as_str().unwrap();
        bench.eval(id).args(flags).arg("--filter").arg(format!("id={id}")).text();
        alone.extend(answers(&bench.run_folder(id)));
    }
    assert_same_answers(&answers(&together), &alone);
}

/// Three questions of different lengths on one video of MLVU.
fn mlvu() -> Bench {
    let bench = Bench::empty("mlvu-dev");
    let row = mlvu_row;
    let rows = [
        row("What?"),
        row("What is seen in the video, from its start to its end?"),
        row("Which colour is it?"),
    ];
    bench.write("json/1_plotQA.json", json!(rows).to_string());
    bench.add_clip("video/1_plotQA/a.mp4");
    bench
}

/// The same of LongVideoBench with subtitles between the frames.
fn longvideobench() -> Bench {
    let bench = Bench::empty("longvideobench-subs");
    let row = longvideobench_row;
    let rows = [
        row("a_0", "What?"),
        row("a_1", "What is seen while somebody speaks of the sea?"),
        row("a_2", "Which colour?"),
    ];
    bench.write("lvb_val.json", json!(rows).to_string());
    let cues = json!([
        { "timestamp": [0.2, 1.4], "text": "It is calm." },
        { "start": "00:00:01.500", "end": "00:00:02.900", "line": "The sea is blue." },
    ]);
    bench.write("subtitles/a_en.json", cues.to_string());
    bench.add_clip("videos/a.mp4");
    bench
}
