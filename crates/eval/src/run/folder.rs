//! A run's folder on disk, and what is made of it at the end.
//!
//! `responses.jsonl` is only appended to, one line a sample, synced; a line cut off by a crash is dropped. `results.json` holds
//! nothing that differs between two runs of the same settings; times and memory are in `measured.json`.

use crate::report::{self, Measurements, Meter};
use crate::run::log::{LineLog, lines};
use crate::run::manifest::refuse_foreign;
use crate::run::{Manifest, pin, submission};
use crate::score::{Comparison, Results, Scorer, compare};
use crate::{EvalError, Record, Result};
use longsight_report::{remove_unfinished, write_atomically};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

const RESPONSES: &str = "responses.jsonl";

/// A run's folder, locked while this lives.
pub struct RunFolder {
    path: PathBuf,
    responses: LineLog,
    receipts: LineLog,
    /// Ids of the samples that are answered.
    pub done: HashSet<String>,
    _lock: FolderLock,
}

impl RunFolder {
    /// Begins a run in a new folder, or goes on with one of the same settings.
    ///
    /// # Errors
    /// A run of other settings (naming what differs), another process in the folder, a folder that holds other things.
    pub fn open(path: &Path, manifest: &Manifest) -> Result<Self> {
        refuse_foreign(path, RESPONSES)?;
        let lock = FolderLock::take(path)?;
        pin(path, RESPONSES, &manifest.pinned, &manifest.environment)?;
        let responses = LineLog::open(&path.join(RESPONSES))?;
        let receipts = LineLog::open(&path.join("receipts.jsonl"))?;
        let done = records(path)?.map(|record| Ok(record?.id)).collect::<Result<_>>()?;
        Ok(Self { path: path.into(), responses, receipts, done, _lock: lock })
    }

    /// Forgets the samples whose video failed, so that they are asked again. Returns how many.
    pub fn forget_failures(&mut self) -> Result<usize> {
        let (mut kept, mut forgotten) = (Vec::new(), 0);
        for record in records(&self.path)? {
            let record = record?;
            if record.failure.is_some() {
                self.done.remove(&record.id);
                forgotten += 1;
            } else {
                write_line(&mut kept, &record, &self.path)?;
            }
        }
        if forgotten > 0 {
            let path = self.path.join(RESPONSES);
            write_atomically(&path, &kept)?;
            self.responses = LineLog::open(&path)?;
        }
        Ok(forgotten)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a sample: its receipt first, so that every digest in `responses.jsonl` has one.
    pub fn append(&mut self, record: &Record, receipt: Option<&Value>) -> Result<()> {
        if let Some(receipt) = receipt {
            self.receipts.append(receipt)?;
        }
        self.responses.append(record)?;
        self.done.insert(record.id.clone());
        Ok(())
    }
}

/// Keeps other processes from writing into a folder.
pub struct FolderLock(#[expect(dead_code, reason = "held, not read: the lock ends with the file")] File);

impl FolderLock {
    /// Makes the folder where it is missing, locks it, and removes what a killed writer left unfinished.
    ///
    /// # Errors
    /// Another process has it; it cannot be written.
    pub fn take(folder: &Path) -> Result<Self> {
        let broken = |message: String| EvalError::File { path: folder.into(), message };
        std::fs::create_dir_all(folder).map_err(|e| broken(format!("cannot be made: {e}")))?;
        let file = File::options().create(true).write(true).truncate(false).open(folder.join(".lock"));
        let file = file.map_err(|e| broken(format!("cannot be written: {e}")))?;
        match file.try_lock() {
            Ok(()) => {
                remove_unfinished(folder);
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => {
                Err(broken("another process writes into this run; wait for it or give another --out".into()))
            }
            Err(TryLockError::Error(error)) => Err(broken(error.to_string())),
        }
    }
}

/// The samples of a run that are answered, in the order of answering.
pub(crate) fn records(folder: &Path) -> Result<impl Iterator<Item = Result<Record>> + use<>> {
    lines(&folder.join(RESPONSES))
}

/// Adds a record to a log's bytes.
pub(crate) fn write_line(bytes: &mut Vec<u8>, record: &Record, folder: &Path) -> Result<()> {
    let broken = |e: serde_json::Error| EvalError::File { path: folder.into(), message: e.to_string() };
    serde_json::to_writer(&mut *bytes, record).map_err(broken)?;
    bytes.push(b'\n');
    Ok(())
}

/// Serialises into a file, whole or not at all.
pub(crate) fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let broken = |e: serde_json::Error| EvalError::File { path: path.into(), message: e.to_string() };
    let mut bytes = serde_json::to_vec_pretty(value).map_err(broken)?;
    bytes.push(b'\n');
    Ok(write_atomically(path, &bytes)?)
}

/// What a run came to.
pub struct Finished {
    /// The numbers.
    pub results: Results,
    /// Times and memory.
    pub measurements: Measurements,
    /// How many samples the whole selection holds that are not answered here.
    pub missing: usize,
    /// Files that were written.
    pub files: Vec<PathBuf>,
}

/// A run's numbers and manifest, read from its folder: the records one at a time.
pub fn summarise(folder: &Path) -> Result<report::RunSummary> {
    let manifest = manifest_of(folder)?;
    let mut scorer = Scorer::new(manifest.pinned.task, manifest.pinned.profile);
    let mut meter = Meter::default();
    for record in records(folder)? {
        let record = record?;
        meter.add(&record);
        scorer.push(&record);
    }
    Ok(report::RunSummary {
        name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        results: scorer.finish(),
        measurements: meter.finish(),
        manifest: serde_json::to_value(&manifest).unwrap_or_default(),
    })
}

/// Two runs compared: what came out, and which of their settings differ.
#[derive(Debug, Clone, Serialize)]
pub struct ComparedRuns {
    /// Settings that differ, one `name: first run's there, second run's now` each.
    pub differences: Vec<String>,
    /// The paired test.
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// Compares two runs of one task, sample by sample.
///
/// # Errors
/// Folders that are not runs, runs of other tasks or samples in common with none.
pub fn compare_runs(a: &Path, b: &Path) -> Result<ComparedRuns> {
    let (first, second) = (manifest_of(a)?, manifest_of(b)?);
    if first.pinned.task != second.pinned.task || first.pinned.profile != second.pinned.profile {
        return Err(EvalError::Setting(format!(
            "{} ran {} under {}, {} ran {} under {}: only runs of one task and profile can be compared",
            a.display(),
            first.pinned.task,
            first.pinned.profile,
            b.display(),
            second.pinned.task,
            second.pinned.profile
        )));
    }
    let all = |folder| records(folder)?.collect::<Result<Vec<_>>>();
    let differences = first.differences(&second, &[])?;
    Ok(ComparedRuns { differences, comparison: compare(all(a)?, all(b)?)? })
}

fn manifest_of(folder: &Path) -> Result<Manifest> {
    Manifest::read(folder)?.ok_or_else(|| EvalError::File {
        path: folder.into(),
        message: "no manifest.json: not the folder of a run (a sweep's runs are in its sub-folders)".into(),
    })
}

/// Scores what a run's folder holds, and writes `results.json`, `measured.json`, `report.html` and, for benchmarks that
/// take one, a submission file.
pub fn finish(folder: &Path) -> Result<Finished> {
    let pinned = manifest_of(folder)?.pinned;
    let summary = summarise(folder)?;
    let mut files =
        vec![folder.join("results.json"), folder.join("measured.json"), folder.join("report.html")];
    write_json(&files[0], &summary.results)?;
    write_json(&files[1], &summary.measurements)?;
    let report::RunSummary { results, measurements, .. } = summary.clone();
    let html = report::html(&report::ReportInput { runs: vec![summary], comparison: None });
    write_atomically(&files[2], html.as_bytes())?;
    files.extend(submission::write(folder, &pinned)?);
    let missing = pinned.samples.saturating_sub(results.counts.samples);
    Ok(Finished { results, measurements, missing, files })
}
