//! `longsight eval sweep`: every setting's answers are those of a run of its own.

use crate::eval_bench::{Bench, CASE, answers, assert_same_answers, eval, read_json, records, results};
use crate::program::{Program, assert_names, longsight};
use longsight_testkit::golden::checkpoint_dir;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

const GRID: &str = "--frame-counts 2,4 --contexts none,vcwe --pools uniform,3;4,2,8 --no-memory-runs";

/// A sweep of the benchmark, with a visual window so small that context methods differ.
fn sweep(bench: &Bench, grid: &str) -> Program {
    let program = longsight("eval").args("sweep videomme --data").arg(bench.data());
    let program = program.arg("--out").arg(bench.run_folder("sweep"));
    let program = program.arg("--model").arg(checkpoint_dir(CASE)).args("--quiet --dtype f32");
    program.args("--temperature 1 --ignore-eos --max-new-tokens 48 --visual-window 10").args(grid)
}

#[test]
fn rows_equal_runs_of_their_own() {
    let bench = Bench::videomme(2, |_, _| {});
    let tables = sweep(&bench, GRID).text();
    assert_names(&tables, &["vcwe", "none", "(2, 8)", "memory", "overall"]);
    let out = bench.run_folder("sweep");
    let rows = read_json(out.join("sweep.json"));
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 8);
    let mut distinct = HashSet::new();
    for row in rows {
        let (frames, context, pool) =
            (&row["frames"], row["context"].as_str().unwrap(), row["pool"].as_str().unwrap());
        assert_eq!(row["peak_bytes"], Value::Null, "no memory runs");
        let name = format!("{frames}-frames_{context}_{}", pool.replace(',', "-"));
        let (own, swept) = (bench.run_folder(&name), out.join(&name));
        let program = eval("videomme", &bench.data(), &own).args("--visual-window 10");
        program.args(&format!("--frames {frames} --context {context} --pool {pool}")).text();
        assert_same_answers(&answers(&own), &answers(&swept));
        assert_eq!(row["results"], results(&own));
        assert_eq!(
            read_json(own.join("manifest.json"))["pinned"],
            read_json(swept.join("manifest.json"))["pinned"]
        );
        let measured = read_json(own.join("measured.json"));
        assert_eq!(row["visual_tokens"], measured["all"]["visual_tokens"]["mean"]);
        assert_eq!(row["scale"], measured["all"]["scale"]["mean"]);
        assert_eq!(row["scale"].as_f64().unwrap() > 1.0, context == "vcwe");
        distinct.insert(answers(&own)["001-1"][0].to_string());
    }
    assert!(distinct.len() >= 6, "the settings do not change answers: {distinct:?}");
    assert_names(&std::fs::read_to_string(out.join("tables.md")).unwrap(), &["| method", "vcwe", "(2, 8)"]);
    assert_names(&std::fs::read_to_string(out.join("report.html")).unwrap(), &["<svg", "vcwe"]);

    let before = logs(&out);
    let events = sweep(&bench, GRID).args("--json").run().succeeded().json_lines();
    assert_eq!(events.iter().map(|event| &event["event"]).collect::<Vec<_>>(), ["start", "done"]);
    assert_eq!(logs(&out), before, "nothing is asked twice");
}

fn logs(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let folders = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let log = |folder: PathBuf| (folder.clone(), std::fs::read(folder.join("responses.jsonl")).unwrap());
    folders.filter(|folder| folder.is_dir()).map(log).collect()
}

#[test]
fn memory_is_measured_in_processes_of_their_own() {
    let bench = Bench::videomme(2, |_, _| {});
    let grid = "--frame-counts 4 --contexts vcwe --pools uniform,3 --filter duration=medium --limit 2";
    let events = sweep(&bench, grid).args("--json").run().succeeded().json_lines();
    let rows = events.last().unwrap()["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["results"]["counts"]["samples"]), (1, &2.into()));
    let asked = records(&bench.run_folder("sweep").join("4-frames_vcwe_uniform-3/memory"));
    assert_eq!((asked.len(), &asked[0]["id"]), (1, &"002-1".into()), "the first sample, once");
    if cfg!(target_os = "linux") {
        assert_eq!(rows[0]["peak_bytes"], asked[0]["measured"]["peak_bytes"]);
        assert!(rows[0]["peak_bytes"].as_u64().unwrap() > 1 << 20);
    }
}

#[test]
fn sweeps_that_cannot_be_meant() {
    let bench = Bench::videomme(1, |_, _| {});
    for flags in ["--frames 4", "--fps 1", "--max-frames 3", "--pool uniform,2"] {
        let flag = flags.split(' ').next().unwrap();
        assert_names(&sweep(&bench, GRID).args(flags).failure(), &["--frame-counts", "--pools", flag]);
    }
    for (flag, value) in [("--pools", "1,2"), ("--contexts", "rope"), ("--frame-counts", "few")] {
        assert_names(&sweep(&bench, GRID).arg(flag).arg(value).run().failed(2), &[flag, value]);
    }
    assert_names(&longsight("eval").args("sweep needle").run().failed(2), &["needle"]);
    assert!(!bench.run_folder("sweep").exists());
    assert_names(&sweep(&bench, GRID).args("--frame-counts 0").failure(), &["0 frames"]);
}
