//! Shards to one run.

use crate::run::folder::{records, write_json, write_line};
use crate::run::{Finished, Manifest, finish};
use crate::{EvalError, Record, Result};
use longsight_report::write_atomically;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Merges the shards of a run into a new folder, and scores it. Parts that are missing are reported, not refused.
///
/// # Errors
/// Shards of different settings (naming what differs), a sample that two of them hold, a folder that exists.
pub fn merge(shards: &[PathBuf], out: &Path) -> Result<Finished> {
    let broken = |path: &Path, message: String| EvalError::File { path: path.into(), message };
    if out.join("manifest.json").exists() {
        return Err(broken(out, "holds a run already; give another --out".into()));
    }
    let mut merged: Option<Manifest> = None;
    let mut all: HashMap<String, Record> = HashMap::new();
    let mut receipts = Vec::new();
    for shard in shards {
        let manifest = Manifest::read(shard)?
            .ok_or_else(|| broken(shard, "no manifest.json: not the folder of a run".into()))?;
        match &merged {
            None => merged = Some(manifest),
            Some(first) => {
                let differences =
                    first.differences(&manifest, &["selection.shard", "selection.shard.index"])?;
                if !differences.is_empty() {
                    let differences = differences.join("; ");
                    return Err(broken(shard, format!("not a shard of the same run: {differences}")));
                }
            }
        }
        for record in records(shard)? {
            let record = record?;
            if let Some(twice) = all.insert(record.id.clone(), record) {
                let message = format!("sample {} is in another of these folders, too", twice.id);
                return Err(broken(shard, message));
            }
        }
        let path = shard.join("receipts.jsonl");
        receipts.extend(std::fs::read(&path).map_err(|e| broken(&path, e.to_string()))?);
    }
    let Some(mut manifest) = merged else {
        return Err(EvalError::Setting("nothing to merge: name the folders of the shards".into()));
    };
    manifest.pinned.selection.shard = None;
    std::fs::create_dir_all(out).map_err(|e| broken(out, format!("cannot be made: {e}")))?;
    let mut records: Vec<Record> = all.into_values().collect();
    records.sort_by_key(|record| record.row);
    let mut lines = Vec::new();
    for record in &records {
        write_line(&mut lines, record, out)?;
    }
    write_atomically(&out.join("receipts.jsonl"), &receipts)?;
    write_atomically(&out.join("responses.jsonl"), &lines)?;
    write_json(&out.join("manifest.json"), &manifest)?;
    finish(out)
}
