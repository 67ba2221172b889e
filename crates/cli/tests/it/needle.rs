//! `longsight eval needle`: a small grid over a world made for it.

use crate::eval_bench::{CASE, json_lines, read_json};
use crate::program::{Program, assert_names, longsight};
use longsight_testkit::golden::checkpoint_dir;
use serde_json::Value;
use std::path::Path;

const SMALL_WORLD: &str = "--quiet --seed 3 --sizes 96x64 --duration-secs 6 --codecs mpeg4 --frame-rates 5";

/// Haystack of six seconds and two needles.
fn make_world(out: &Path) {
    longsight("world").arg("needles").arg("--out").arg(out).args(SMALL_WORLD).args("--needles 2").text();
}

const GRID: &str = "--lengths 2,5 --depths 0,50,100";

fn needle(data: &Path, out: &Path, grid: &str) -> Program {
    let program =
        longsight("eval").arg("needle").arg("--data").arg(data).arg("--out").arg(out).arg("--model");
    let program = program.arg(checkpoint_dir(CASE)).args("--quiet --dtype f32 --max-new-tokens 4");
    program.args(grid)
}

/// Pictures are read as a folder of images: one that is missing or more would shift the others.
#[test]
fn pictures_are_those_of_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let (world, run) = (folder.path().join("world"), folder.path().join("run"));
    make_world(&world);
    let refused = || needle(&world, &run, "--lengths 2 --depths 0").failure();
    std::fs::copy(world.join("needles/0.png"), world.join("needles/00.png")).unwrap();
    assert_names(&refused(), &["needles", "other files"]);
    std::fs::remove_file(world.join("needles/00.png")).unwrap();
    needle(&world, &run, "--lengths 2 --depths 0").text();
    std::fs::copy(world.join("needles/1.png"), world.join("needles/0.png")).unwrap();
    assert_names(&refused(), &["data.pictures_digest", "not the same"]);
    std::fs::remove_file(world.join("needles/0.png")).unwrap();
    assert_names(&refused(), &["0.png"]);
}

/// A folder of something else is refused, and nothing in it is touched.
#[test]
fn a_world_is_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let world = folder.path().join("world");
    make_world(&world);
    let message = needle(&world, &world, "--lengths 2 --depths 0").failure();
    assert_names(&message, &["something else than a run", "--out"]);
    assert!(!world.join(".lock").exists());
}

#[test]
fn every_cell_is_measured_once_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let (world, run) = (folder.path().join("world"), folder.path().join("run"));
    make_world(&world);
    let table = needle(&world, &run, GRID).text();
    assert_names(&table, &["depth", "50%", "12 cells"]);
    let cells = json_lines(&run.join("cells.jsonl"));
    let keys: Vec<(u64, u64, u64, u64)> = cells
        .iter()
        .map(|cell| {
            let number = |key: &str| cell[key].as_u64().unwrap();
            (number("frames"), number("depth_percent"), number("needle"), number("at"))
        })
        .collect();
    // The needle stands before haystack frame int(depth x frames).
    let expected = [(2, 0, 0), (2, 50, 1), (2, 100, 2), (5, 0, 0), (5, 50, 2), (5, 100, 5)];
    let expected: Vec<_> =
        expected.iter().flat_map(|(f, d, at)| [(*f, *d, 0, *at), (*f, *d, 1, *at)]).collect();
    assert_eq!(keys, expected);
    let needles = read_json(world.join("needles.json"));
    for cell in &cells {
        let needle = &needles[cell["needle"].as_u64().unwrap() as usize];
        assert_eq!(cell["answer"], needle["answer"]);
        assert!(cell["logprob"].as_f64().unwrap() < 0.0);
        assert!(cell["response"].is_string() && cell["free_form_right"].is_boolean());
        // 25 tokens a fine frame (every fourth), 4 a coarse one; the needle is one more frame.
        let frames = cell["frames"].as_u64().unwrap() + 1;
        let fine = frames.div_ceil(4);
        assert_eq!(cell["visual_tokens"], 25 * fine + 4 * (frames - fine));
    }
    check_files(&run, &cells);

    let before = std::fs::read(run.join("cells.jsonl")).unwrap();
    let events = needle(&world, &run, GRID).args("--json").run().succeeded().json_lines();
    assert_eq!(events.len(), 1, "nothing is left to measure: {events:?}");
    assert_eq!(events[0]["results"]["cells"], 12);
    assert_eq!(std::fs::read(run.join("cells.jsonl")).unwrap(), before);

    // A crash's unfinished last line: its cell is measured again.
    let text = String::from_utf8(before.clone()).unwrap();
    std::fs::write(run.join("cells.jsonl"), &text[..text.len() - 30]).unwrap();
    let events = needle(&world, &run, GRID).args("--json").run().succeeded().json_lines();
    assert_eq!((&events[0]["event"], &events[0]["done"], events.len()), (&"cell".into(), &12.into(), 2));
    let again = json_lines(&run.join("cells.jsonl"));
    for key in ["logprob", "response", "forced", "frames", "depth_percent", "needle"] {
        assert_eq!(again[11][key], cells[11][key], "{key}");
    }
}

/// Heat maps in three forms; the JSON in V-NIAH's.
fn check_files(run: &Path, cells: &[Value]) {
    for (name, score) in [("teacher_forced", "forced"), ("free_form", "free_form_right")] {
        let svg = std::fs::read_to_string(run.join(format!("{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") || svg.starts_with("<?xml"), "{name}");
        assert!(std::fs::read(run.join(format!("{name}.png"))).unwrap().starts_with(b"\x89PNG"));
        let entries = read_json(run.join(format!("{name}.json")));
        let entries = entries.as_array().unwrap();
        assert_eq!(entries.len(), 6);
        for entry in entries {
            let mut keys: Vec<&str> = entry.as_object().unwrap().keys().map(String::as_str).collect();
            keys.sort_unstable();
            assert_eq!(keys, ["Frame Depth", "Num. Frame", "Score"]);
            let is_here = |cell: &&Value| {
                cell["frames"] == entry["Num. Frame"]
                    && cell["depth_percent"].as_f64() == entry["Frame Depth"].as_f64()
            };
            let here: Vec<&Value> = cells.iter().filter(is_here).collect();
            let right = here.iter().filter(|cell| cell[score] == true).count();
            assert_eq!((here.len(), entry["Score"].as_f64().unwrap()), (2, right as f64 / 2.0));
        }
    }
    let results = read_json(run.join("results.json"));
    let mean = |key: &str| cells.iter().filter(|cell| cell[key] == true).count() as f64 / 12.0;
    assert!((results["teacher_forced"].as_f64().unwrap() - mean("forced")).abs() < 1e-12);
    assert!((results["free_form"].as_f64().unwrap() - mean("free_form_right")).abs() < 1e-12);
    let pinned = &read_json(run.join("manifest.json"))["pinned"];
    assert_eq!((&pinned["task"], &pinned["free_form"]), (&"needle".into(), &true.into()));
}

/// The grid may grow; everything else is pinned.
#[test]
fn the_grid_grows_and_other_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (world, run) = (folder.path().join("world"), folder.path().join("run"));
    make_world(&world);
    let needle = |grid: &str| needle(&world, &run, grid);
    let cells = || json_lines(&run.join("cells.jsonl"));
    needle("--lengths 2 --depths 50 --no-free-form").text();
    assert_eq!(cells().len(), 2);
    needle("--lengths 2,3 --depths 50 --no-free-form").text();
    assert_eq!(cells().len(), 4);
    assert_eq!(cells()[0]["response"], Value::Null);
    assert!(!run.join("free_form.json").exists());
    let message = needle("--lengths 2 --depths 50 --no-free-form --pool 2,2,4").failure();
    assert_names(&message, &["settings.pool", "4,2,8", "2,2,4"]);
    assert_names(&needle(GRID).failure(), &["free_form", "another --out"]);
}

#[test]
fn needle_tests_that_cannot_be_meant() {
    let folder = tempfile::tempdir().unwrap();
    let (world, run) = (folder.path().join("world"), folder.path().join("run"));
    make_world(&world);
    for (lengths, depths, names) in [
        ("0", "50", ["--lengths", "at least one"]),
        ("7201", "50", ["--lengths", "7200"]),
        ("2", "101", ["--depths", "0 to 100"]),
        ("7", "50", ["--lengths 7", "6 seconds"]),
    ] {
        assert_names(
            &needle(&world, &run, &format!("--lengths {lengths} --depths {depths}")).failure(),
            &names,
        );
    }
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert_names(&needle(&empty, &run, GRID).failure(), &["needles.json", "world needles"]);
    std::fs::write(empty.join("needles.json"), "[]").unwrap();
    assert_names(&needle(&empty, &run, GRID).failure(), &["needles.json", "no needle"]);
    assert_names(&needle(&world, &run, "--depths 300").run().failed(2), &["--depths", "300"]);
}
