//! A run goes on under its own settings only, in one process at a time; flags that a benchmark has no place for.

use crate::eval_bench::{Bench, CASE, eval, eval_with, read_json, records};
use crate::program::{assert_names, longsight};
use std::fs::File;

#[test]
fn a_run_goes_on_under_the_same_settings_only() {
    let bench = Bench::videomme(1, |_, _| {});
    let run = bench.run("run");
    let files = || {
        ["manifest.json", "responses.jsonl", "receipts.jsonl"].map(|f| std::fs::read(run.join(f)).unwrap())
    };
    let before = files();
    for (flags, names) in [
        ("--frames 5", ["frames", "4 frames", "5 frames"]),
        ("--pool 2,2,4", ["settings.pool", "4,2,8", "2,2,4"]),
        ("--profile videomme-0.3", ["profile", "videomme", "videomme-0.3"]),
        ("--prompt-key qwen3_vl", ["prompt_key", "default", "qwen3_vl"]),
        ("--context none", ["settings.context", "vcwe", "none"]),
        ("--seed 1", ["settings.generation.seed", "0 there", "1 now"]),
        ("--dtype bf16", ["dtype", "f32", "bf16"]),
        ("--limit 2", ["selection.limit", "null there", "2 now"]),
        ("--filter duration=short", ["selection.filters", "duration", "short"]),
        ("--shard 1/2", ["selection.shard", "null there", "count"]),
    ] {
        let message = bench.eval("run").args(flags).failure();
        assert_names(&message, &names);
        assert_names(&message, &["begun with other settings", "another --out", run.to_str().unwrap()]);
    }
    let message = eval_with("d64-mha-sharded", bench.task, &bench.data(), &run).failure();
    assert_names(&message, &["model_digest"]);
    assert_eq!(files(), before, "a refusal changes nothing");
    let events = bench.eval("run").args("--json --threads 1").run().succeeded().json_lines();
    assert_eq!(events.len(), 2, "nothing is left to ask: {events:?}");
    assert_eq!(files(), before, "where it runs is no setting");
}

#[test]
fn other_annotations_are_another_run() {
    let bench = Bench::videomme(1, |_, _| {});
    let run = bench.run("run");
    let changed = Bench::videomme(1, |row, value| {
        if row == 2 {
            value["answer"] = "A".into();
        }
    });
    assert_names(&eval(bench.task, &changed.data(), &run).failure(), &["samples_digest"]);
    let elsewhere = Bench::videomme(1, |_, _| {});
    eval(bench.task, &elsewhere.data(), &run).text();
}

#[test]
fn one_process_a_folder() {
    let bench = Bench::videomme(1, |_, _| {});
    let run = bench.run_folder("run");
    std::fs::create_dir(&run).unwrap();
    let other_process = File::create(run.join(".lock")).unwrap();
    other_process.lock().unwrap();
    let message = bench.eval("run").failure();
    assert_names(&message, &[run.to_str().unwrap(), "another process", "--out"]);
    assert!(!run.join("manifest.json").exists());
    drop(other_process);
    bench.run("run");
}

#[test]
fn folders_that_are_no_runs() {
    let bench = Bench::videomme(1, |_, _| {});
    let run = bench.run_folder("run");
    std::fs::create_dir(&run).unwrap();
    std::fs::write(run.join("responses.jsonl"), "{}\n").unwrap();
    assert_names(&bench.eval("run").failure(), &[run.to_str().unwrap(), "responses.jsonl", "manifest.json"]);
    std::fs::write(run.join("manifest.json"), "[1").unwrap();
    assert_names(&bench.eval("run").failure(), &["manifest.json", "not the manifest of a benchmark's run"]);
    let file = bench.data().join("test.jsonl");
    assert_names(&eval(bench.task, &bench.data(), &file).failure(), &[file.to_str().unwrap()]);
}

#[test]
fn a_log_that_was_edited_is_refused() {
    let bench = Bench::videomme(1, |_, _| {});
    let run = bench.run("run");
    let log = run.join("responses.jsonl");
    let mut text = std::fs::read_to_string(&log).unwrap();
    text.insert_str(text.find('\n').unwrap() + 1, "no JSON\n");
    std::fs::write(&log, &text).unwrap();
    assert_names(&bench.eval("run").failure(), &["responses.jsonl", "line 2"]);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), text);
}

#[test]
fn flags_that_a_benchmark_has_no_place_for() {
    let bench = Bench::videomme(1, |_, _| {});
    for flags in ["--subtitles embedded", "--from 1", "--to 0:02", "--allow-url", "--logprobs 3"] {
        let message = bench.eval("run").args(flags).failure();
        assert_names(&message, &[flags.split(' ').next().unwrap(), "no place in a benchmark"]);
    }
    for (task, profile) in [("videomme", "mlvu"), ("mlvu-dev", "lvb"), ("longvideobench", "videomme-0.3")] {
        let message =
            eval(task, &bench.data(), &bench.run_folder("run")).args("--profile").arg(profile).failure();
        assert_names(&message, &["--profile", profile, "another benchmark", task]);
    }
    for (flag, value) in
        [("--profile", "videomme-9"), ("--prompt-key", "llava"), ("--shard", "0/3"), ("--shard", "4/3")]
    {
        assert_names(&bench.eval("run").arg(flag).arg(value).run().failed(2), &[flag, value]);
    }
    assert!(!bench.run_folder("run").exists(), "nothing is made before all is clear");
    // Known only when a video is planned; they would count every question wrong.
    for (number, (flags, names)) in [
        ("--frames 0", "0 frames"),
        ("--alpha 5 --beta 2", "alpha 5 and beta 2"),
        ("--visual-window 0", "visual window"),
        ("--memory 1MiB", "more than the 1 MiB of --memory"),
    ]
    .into_iter()
    .enumerate()
    {
        let run = format!("run{number}");
        assert_names(&bench.eval(&run).args(flags).failure(), &[names]);
        assert!(records(&bench.run_folder(&run)).is_empty(), "nothing is recorded as failed");
    }
    assert_names(&longsight("eval").args("videomme").run().failed(2), &["--data", "--out"]);
    assert_names(&longsight("eval").args("mvbench").run().failed(2), &["mvbench"]);
}

/// As with `ask`, so that a script's flags can be changed by appending.
#[test]
fn a_flag_given_twice_counts_as_given_last() {
    let bench = Bench::videomme(1, |_, _| {});
    bench.eval("run").args("--frames 9 --frames 2 --limit 3 --limit 1").text();
    let pinned = &read_json(bench.run_folder("run").join("manifest.json"))["pinned"];
    assert!(pinned["frames"].as_str().unwrap().starts_with("2 frames"), "{pinned}");
    assert_eq!(pinned["samples"], 1);
}

#[test]
fn the_manifest_says_what_was_run() {
    let bench = Bench::videomme(1, |_, _| {});
    let manifest = read_json(bench.run("run").join("manifest.json"));
    let pinned = &manifest["pinned"];
    assert_eq!(
        (&pinned["task"], &pinned["profile"], &pinned["prompt_key"]),
        (&"videomme".into(), &"videomme".into(), &"default".into())
    );
    assert_eq!((&pinned["family"], &pinned["samples"]), (&"LLaVA-OneVision".into(), &3.into()));
    assert_names(pinned["frames"].as_str().unwrap(), &["4 frames", "linspace"]);
    assert_names(pinned["decoder"].as_str().unwrap(), &["ffmpeg"]);
    for digest in ["samples_digest", "model_digest"] {
        assert_eq!(pinned[digest].as_str().unwrap().len(), 64, "{digest}");
    }
    let settings = &pinned["settings"];
    assert_eq!((&settings["context"], &settings["pool"]), (&"vcwe".into(), &"4,2,8".into()));
    assert_eq!(settings["generation"]["max_new_tokens"], 48);
    let environment = &manifest["environment"];
    assert!(environment["model"].as_str().unwrap().contains(CASE));
    assert_names(environment["machine"].as_str().unwrap(), &["cores"]);
    assert_eq!(environment["annotations"][0], bench.data().join("test.jsonl").to_str().unwrap());
}

/// What the benchmark prescribes where the user says nothing, and words by the model's family.
#[test]
fn defaults_are_those_of_the_benchmark() {
    let bench = Bench::videomme(1, |_, _| {});
    let run = bench.run_folder("run");
    let program = longsight("eval").args("videomme --limit 1 --quiet --dtype f32 --data").arg(bench.data());
    let program = program.arg("--out").arg(&run).arg("--model");
    program.arg(longsight_testkit::golden::checkpoint_dir("video-average")).text();
    let pinned = &read_json(run.join("manifest.json"))["pinned"];
    assert_names(pinned["frames"].as_str().unwrap(), &["32 frames"]);
    assert_eq!(pinned["prompt_key"], "llava_vid");
    assert_eq!(pinned["settings"]["generation"]["max_new_tokens"], 16);
    assert_eq!(pinned["settings"]["generation"]["temperature"], 0.0);
}
