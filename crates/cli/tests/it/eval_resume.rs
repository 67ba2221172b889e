//! In every benchmark's own layout: a whole run, a run killed five times, and three merged shards are the same.

use crate::eval_bench::{answers, assert_same_answers, eval, json_lines};
use crate::program::longsight;
use serde_json::Value;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const VIDEOS: usize = 6;
const SAMPLES: usize = 3 * VIDEOS;
const KILLS: usize = 5;
const SIGKILL: i32 = 9;

#[test]
fn videomme_with_subtitles() {
    check("videomme", "videomme-subs");
}

#[test]
fn mlvu_as_its_authors_publish_it() {
    check("mlvu", "mlvu-dev");
}

#[test]
fn mlvu_as_lmms_eval_reads_it() {
    check("mlvu-lmms", "mlvu-dev");
}

#[test]
fn longvideobench_interleaved() {
    check("longvideobench", "longvideobench-subs");
}

fn check(layout: &str, task: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (world, run) = (folder.path().join("world"), |name: &str| folder.path().join(name));
    let make =
        longsight("world").args("make --quiet --sizes 160x90 --duration-secs 4..6 --codecs mpeg4,h264");
    let make = make.args("--frame-rates 5,10 --cards 2..3 --card-secs 0.5..1 --gap-secs 0.2 --layout");
    make.arg(layout).args("--videos").arg(VIDEOS.to_string()).arg("--out").arg(&world).text();

    let whole = run("whole");
    eval(task, &world, &whole).text();
    let expected = answers(&whole);
    assert_eq!(expected.len(), SAMPLES);
    let distinct: HashSet<String> = expected.values().map(|answer| answer[0].to_string()).collect();
    assert!(distinct.len() > SAMPLES / 2, "the answers say nothing: {distinct:?}");

    let killed = run("killed");
    run_with_kills(task, &world, &killed, layout.len() as u64);
    assert_same(&whole, &killed);

    let shards: Vec<PathBuf> = (1..=3).map(|shard| run(&format!("shard{shard}"))).collect();
    for (shard, out) in shards.iter().enumerate() {
        eval(task, &world, out).arg("--shard").arg(format!("{}/3", shard + 1)).text();
        assert_eq!(answers(out).len(), SAMPLES / 3, "videos are dealt out evenly");
    }
    let merged = run("merged");
    let merge = shards.iter().fold(longsight("eval").arg("merge"), |merge, shard| merge.arg(shard));
    merge.arg("--out").arg(&merged).text();
    assert_same(&whole, &merged);
}

#[track_caller]
fn assert_same(whole: &Path, other: &Path) {
    let results = |run: &Path| std::fs::read_to_string(run.join("results.json")).unwrap();
    assert_eq!(results(whole), results(other), "byte for byte");
    assert_same_answers(&answers(whole), &answers(other));
    let digests: HashSet<Value> = json_lines(&other.join("receipts.jsonl"))
        .into_iter()
        .map(|receipt| receipt["digest"].clone())
        .collect();
    let unknown = answers(other).into_values().filter(|answer| !digests.contains(&answer[2])).count();
    assert_eq!(unknown, 0, "every answer has its receipt");
    assert!(std::fs::read_to_string(other.join("report.html")).unwrap().ends_with("</html>\n"));
}

/// Runs until killed after a few events, five times over; after each a crash's half-written lines are added. Then to the end.
fn run_with_kills(task: &str, data: &Path, out: &Path, seed: u64) {
    let mut random = seed;
    let mut told = HashSet::new();
    for _ in 0..KILLS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Its start, a video, at most three samples.
        let events = 1 + (random >> 33) as usize % 5;
        told.extend(killed_after(events, task, data, out));
        let kept: HashSet<String> = complete_lines(out).iter().map(id).collect();
        assert!(told.is_subset(&kept), "a sample that was told of is lost: {told:?} {kept:?}");
        tear(&out.join("responses.jsonl"), (random >> 40) as usize);
        tear(&out.join("receipts.jsonl"), (random >> 50) as usize);
    }
    let before = complete_lines(out);
    assert!(before.len() < SAMPLES, "nothing is left to resume");
    let events = eval(task, data, out).args("--json").run().succeeded().json_lines();
    assert_eq!((&events[0]["event"], &events[0]["done"]), (&"start".into(), &before.len().into()));
    let asked = events.iter().filter(|event| event["event"] == "sample").count();
    assert_eq!(asked, SAMPLES - before.len(), "only what was missing is asked");
    let after = complete_lines(out);
    assert_eq!(after[..before.len()], before, "what was there stays as it was");
    let receipts = json_lines(&out.join("receipts.jsonl")).len();
    assert!(
        (SAMPLES..=SAMPLES + KILLS).contains(&receipts),
        "{receipts} receipts: at most one a kill is lost"
    );
}

/// Kills a run with SIGKILL as soon as it has told of so many events, and returns the samples among them.
fn killed_after(events: usize, task: &str, data: &Path, out: &Path) -> Vec<String> {
    let mut command = eval(task, data, out).args("--json").command();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(events);
    let told: Vec<Value> = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL), "the run ended before it was killed: {told:?}");
    told.iter().filter(|event| event["event"] == "sample").map(id).collect()
}

/// Adds a line of which only a part was written.
fn tear(path: &Path, length: usize) {
    const LINE: &str = "{\"id\":\"torn\",\"row\":0,\"response\":\"The answer is \\u00e9";
    let part = &LINE[..1 + length % (LINE.len() - 1)];
    let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(part.as_bytes()).unwrap();
}

fn complete_lines(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("responses.jsonl")).unwrap();
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn id(record: &Value) -> String {
    record["id"].as_str().unwrap().to_owned()
}
