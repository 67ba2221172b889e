//! Annotations and foreign answers: every published form, and files that are not what they should be.

mod hostile;
mod longvideobench;
mod mlvu;
mod parquet_file;
mod responses;
mod videomme;
mod world;

use longsight_eval::data::{LoadSettings, Loaded, load};
use longsight_eval::{Result, Sample, Task};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Writes a file and the folders above it.
pub fn put(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub fn put_json(folder: &Path, name: &str, value: &Value) {
    put(folder, name, serde_json::to_string_pretty(value).unwrap());
}

pub fn try_load(task: Task, folder: &Path) -> Result<Loaded> {
    load(task, folder, &LoadSettings::default())
}

pub fn samples(task: Task, folder: &Path) -> Vec<Sample> {
    try_load(task, folder).unwrap().samples
}

/// The message, which must be one line that names the file or folder.
pub fn refusal<T: std::fmt::Debug>(result: Result<T>, names: &str) -> String {
    let message = result.unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    assert!(message.len() < 600, "{message}");
    assert!(message.contains(names), "{message}");
    message
}

pub fn group<'a>(groups: &'a [(String, String)], name: &str) -> &'a str {
    &groups.iter().find(|(group, _)| group == name).unwrap().1
}
