//! A run's folder: what a crash leaves, what is pinned, what comes of thousands of lines.

use crate::run_select::sample;
use longsight_eval::run::{
    Environment, FolderLock, Manifest, Pinned, RunFolder, Selection, Shard, checkpoint_digest, finish, merge,
    samples_digest, summarise,
};
use longsight_eval::{Profile, PromptKey, Record, Task};
use proptest::prelude::*;
use serde_json::json;
use std::io::Write;
use std::path::Path;

fn manifest() -> Manifest {
    Manifest {
        pinned: Pinned {
            task: Task::VideoMme,
            profile: Profile::VideoMme,
            prompt_key: PromptKey::Default,
            samples_digest: "abc".into(),
            samples: 6,
            selection: Selection::default(),
            model_digest: "def".into(),
            family: "LLaVA-OneVision".into(),
            dtype: "bf16".into(),
            frames: "32 frames".into(),
            decoder: "ffmpeg 6".into(),
            longsight_version: "0.1.0".into(),
            settings: json!({ "context": "vcwe", "generation": { "seed": 0, "temperature": 0.0 } }),
        },
        environment: Environment::default(),
    }
}

fn record(row: usize) -> Record {
    let response = ["B", "A", "The answer is B.", "nothing"][row % 4];
    Record { response: Some(response.into()), ..sample(row, row / 3).record() }
}

fn append(path: &Path, bytes: &[u8]) {
    std::fs::File::options().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// A folder with records 0, 1, ..., each with a receipt.
fn run_of(path: &Path, records: usize) -> RunFolder {
    let mut folder = RunFolder::open(path, &manifest()).unwrap();
    for row in 0..records {
        let receipt = json!({ "id": format!("q{row}"), "digest": row });
        folder.append(&record(row), Some(&receipt)).unwrap();
    }
    folder
}

#[test]
fn what_was_appended_is_there_again() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("new/run");
    let folder = run_of(&path, 3);
    assert!(folder.done.contains("q2"));
    drop(folder);
    let mut folder = RunFolder::open(&path, &manifest()).unwrap();
    assert_eq!((folder.done.len(), folder.path()), (3, &*path));
    folder.append(&record(3), None).unwrap();
    drop(folder);
    let text = std::fs::read_to_string(path.join("responses.jsonl")).unwrap();
    let read: Vec<Record> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, (0..4).map(record).collect::<Vec<_>>());
    assert_eq!(std::fs::read_to_string(path.join("receipts.jsonl")).unwrap().lines().count(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Wherever a crash cuts the log, complete lines stay and the next line begins on its own.
    #[test]
    fn a_line_cut_off_anywhere_is_dropped(cut in 1usize..2000, rows in 1usize..4) {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path();
        drop(run_of(path, rows));
        let log = path.join("responses.jsonl");
        let whole = std::fs::read(&log).unwrap();
        let kept = cut.min(whole.len());
        std::fs::write(&log, &whole[..kept]).unwrap();
        let complete = whole[..kept].iter().filter(|byte| **byte == b'\n').count();
        prop_assert_eq!(summarise(path).unwrap().results.counts.samples, complete, "reading drops it too");
        let mut folder = RunFolder::open(path, &manifest()).unwrap();
        prop_assert_eq!(folder.done.len(), complete);
        for row in complete..rows {
            folder.append(&record(row), None).unwrap();
        }
        prop_assert_eq!(std::fs::read(&log).unwrap(), whole);
    }
}

/// A cut line longer than the block that is searched for its start.
#[test]
fn a_long_line_cut_off_is_dropped() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path();
    drop(run_of(path, 2));
    append(&path.join("responses.jsonl"), &[b'x'; 200_000]);
    append(&path.join("receipts.jsonl"), &[b'\0'; 65_537]);
    assert_eq!(RunFolder::open(path, &manifest()).unwrap().done.len(), 2);
    assert_eq!(
        std::fs::read(path.join("receipts.jsonl")).unwrap().iter().filter(|b| **b == b'\n').count(),
        2
    );
}

#[test]
fn a_changed_line_is_refused_by_its_number() {
    let temporary = tempfile::tempdir().unwrap();
    drop(run_of(temporary.path(), 2));
    append(&temporary.path().join("responses.jsonl"), b"{\"id\": 3}\n");
    let error = RunFolder::open(temporary.path(), &manifest()).err().unwrap().to_string();
    assert!(error.contains("responses.jsonl: line 3") && !error.contains('\n'), "{error}");
}

#[test]
fn one_writer_a_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = run_of(temporary.path(), 1);
    let error = RunFolder::open(temporary.path(), &manifest()).err().unwrap().to_string();
    assert!(error.contains("another process"), "{error}");
    assert!(FolderLock::take(temporary.path()).is_err());
    drop(folder);
    drop(FolderLock::take(temporary.path()).unwrap());
    RunFolder::open(temporary.path(), &manifest()).unwrap();
}

#[test]
fn differences_are_named_by_path() {
    let first = manifest();
    assert!(first.differences(&manifest(), &[]).unwrap().is_empty());
    let mut other = manifest();
    other.environment.machine = "another".into();
    assert!(first.differences(&other, &[]).unwrap().is_empty(), "where it runs may differ");
    other.pinned.dtype = "f32".into();
    other.pinned.settings["generation"]["seed"] = 7.into();
    other.pinned.settings["pool"] = "4,2,8".into();
    other.pinned.selection.shard = Some(Shard { index: 1, count: 2 });
    let found = first.differences(&other, &["selection.shard"]).unwrap();
    assert_eq!(
        found,
        [
            "dtype: \"bf16\" there, \"f32\" now",
            "settings.generation.seed: 0 there, 7 now",
            "settings.pool: null there, \"4,2,8\" now"
        ]
    );
    let temporary = tempfile::tempdir().unwrap();
    drop(run_of(temporary.path(), 1));
    let error = RunFolder::open(temporary.path(), &other).err().unwrap().to_string();
    assert!(found.iter().all(|difference| error.contains(difference)), "{error}");
    assert_eq!(Manifest::read(temporary.path()).unwrap(), Some(manifest()));
    assert_eq!(Manifest::read(&temporary.path().join("none")).unwrap(), None);
}

#[test]
fn what_a_killed_writer_left_is_removed_when_the_run_goes_on() {
    let temporary = tempfile::tempdir().unwrap();
    drop(run_of(temporary.path(), 1));
    let left = temporary.path().join(".manifest.json.4000000000.tmp");
    std::fs::write(&left, "{").unwrap();
    let run = RunFolder::open(temporary.path(), &manifest()).unwrap();
    assert!(!left.exists());
    drop(run);
}

#[test]
fn a_checkpoints_digest_follows_every_byte_and_name() {
    let temporary = tempfile::tempdir().unwrap();
    let file = |name: &str| temporary.path().join(name);
    std::fs::write(file("model.safetensors"), vec![7; 1 << 20]).unwrap();
    std::fs::write(file("config.json"), "{}").unwrap();
    let digest = || checkpoint_digest(temporary.path()).unwrap();
    let first = digest();
    assert_eq!((first.len(), digest()), (64, first.clone()));
    std::fs::write(file("README.md"), "words").unwrap();
    std::fs::create_dir(file("folder.json")).unwrap();
    assert_eq!(digest(), first, "what decides no answer does not count");
    let mut bytes = vec![7; 1 << 20];
    bytes[(1 << 20) - 1] ^= 1;
    std::fs::write(file("model.safetensors"), bytes).unwrap();
    let changed = digest();
    assert_ne!(changed, first);
    std::fs::rename(file("config.json"), file("other.json")).unwrap();
    assert_ne!(digest(), changed);
    assert!(checkpoint_digest(&file("none")).unwrap_err().to_string().contains("none"));
}

#[test]
fn a_samples_digest_follows_questions_not_places() {
    let samples = || vec![sample(0, 0), sample(1, 0)];
    let digest = samples_digest(&samples()).unwrap();
    let mut moved = samples();
    moved[0].video = "/elsewhere/v0.mp4".into();
    assert_eq!(samples_digest(&moved).unwrap(), digest);
    let mut changed = samples();
    changed[1].gold = Some("C".into());
    assert_ne!(samples_digest(&changed).unwrap(), digest);
    assert_ne!(samples_digest(&samples()[..1]).unwrap(), digest);
}

#[test]
fn twenty_thousand_records_are_scored_in_order_or_out_of_it() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("run");
    drop(run_of(&path, 0));
    let lines = |rows: &mut dyn Iterator<Item = usize>| {
        let lines: Vec<String> =
            rows.map(|row| serde_json::to_string(&record(row)).unwrap() + "\n").collect();
        std::fs::write(path.join("responses.jsonl"), lines.concat()).unwrap();
        finish(&path).unwrap().results
    };
    let results = lines(&mut (0..20_000));
    let counts = &results.counts;
    assert_eq!((counts.samples, counts.videos, counts.unparsed), (20_000, 6667, 5000));
    assert_eq!((results.all.correct, results.value), (10_000, Some(50.0)));
    let written = std::fs::read(path.join("results.json")).unwrap();
    assert_eq!(lines(&mut (0..20_000).rev()), results);
    assert_eq!(std::fs::read(path.join("results.json")).unwrap(), written, "byte for byte");
}

#[test]
fn merging_nothing_and_shards_without_answers() {
    let temporary = tempfile::tempdir().unwrap();
    let path = |name: &str| temporary.path().join(name);
    assert!(merge(&[], &path("out")).err().unwrap().to_string().contains("nothing to merge"));
    drop(run_of(&path("empty"), 0));
    let finished = merge(&[path("empty")], &path("out")).unwrap();
    assert_eq!((finished.missing, finished.results.counts.samples), (6, 0));
}
