//! What a run asked and how, pinned: a run goes on, and shards merge, only under the same settings.

use crate::run::{Selection, write_json};
use crate::{EvalError, Profile, PromptKey, Result, Sample, Task};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A run's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// What decides answers and scores.
    pub pinned: Pinned,
    /// Where it ran: may differ between the parts of one run.
    pub environment: Environment,
}

/// Everything that decides answers and scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pinned {
    /// What was asked.
    pub task: Task,
    /// Prompt, extractor and averaging.
    pub profile: Profile,
    /// The model-specific words of the prompt.
    pub prompt_key: PromptKey,
    /// SHA-256 of the selected samples before sharding.
    pub samples_digest: String,
    /// How many these are.
    pub samples: usize,
    /// Which of the benchmark's samples.
    pub selection: Selection,
    /// SHA-256 over the checkpoint's files.
    pub model_digest: String,
    /// Model family.
    pub family: String,
    /// Dtype of the weights.
    pub dtype: String,
    /// The sampler, in words.
    pub frames: String,
    /// Program and version that decoded.
    pub decoder: String,
    /// This program's version.
    pub longsight_version: String,
    /// Context method, window, scale, pooling, template, generation, chunks: the engine's settings by name.
    pub settings: Value,
}

/// Where a run ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// As typed.
    pub model: String,
    /// The benchmark's folder.
    pub data: PathBuf,
    /// Annotation files that were read.
    pub annotations: Vec<PathBuf>,
    /// Processor, cores, memory, system.
    pub machine: String,
    /// `cpu`, `cuda` or `metal`.
    pub device: String,
    /// Threads.
    pub threads: usize,
}

impl Manifest {
    /// Reads `manifest.json` of a run's folder; None where there is none.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        read(&folder.join("manifest.json"))
    }

    /// What differs in the pinned part, one `name: there, now` each; `ignored` are paths such as `selection.shard`.
    pub fn differences(&self, other: &Self, ignored: &[&str]) -> Result<Vec<String>> {
        differences(&to_value(&self.pinned)?, &to_value(&other.pinned)?, ignored)
    }
}

/// Writes the manifest of a run that begins in `folder`, where `log` is empty or absent; else refuses other settings than
/// those that it was begun with.
///
/// # Errors
/// What differs, by name; a folder that holds something else.
pub fn pin(folder: &Path, log: &str, pinned: &impl Serialize, environment: &Environment) -> Result<()> {
    let path = folder.join("manifest.json");
    let pinned = to_value(pinned)?;
    let begun = std::fs::metadata(folder.join(log)).is_ok_and(|file| file.len() > 0);
    let earlier = match read::<Value>(&path)? {
        Some(earlier) if begun => earlier,
        _ => return write_json(&path, &json!({ "pinned": pinned, "environment": environment })),
    };
    let earlier = earlier.get("pinned").unwrap_or(&Value::Null);
    let differences = differences(earlier, &pinned, &[])?;
    if differences.is_empty() {
        return Ok(());
    }
    let (there, now) = (earlier.get("task"), pinned.get("task"));
    let message = match there.filter(|task| Some(*task) != now).and_then(Value::as_str) {
        Some(task) => format!("holds a run of {task}; give another --out"),
        None => format!(
            "this run was begun with other settings ({}); give the same, or another --out",
            differences.join("; ")
        ),
    };
    Err(EvalError::File { path: folder.into(), message })
}

/// Refuses a folder that holds other things than a run (whose log is `log`): nothing of these is touched.
pub(crate) fn refuse_foreign(folder: &Path, log: &str) -> Result<()> {
    let foreign = |message: String| EvalError::File { path: folder.into(), message };
    let Ok(mut entries) = std::fs::read_dir(folder) else { return Ok(()) };
    if folder.join("manifest.json").is_file() {
        let manifest = read::<Value>(&folder.join("manifest.json"))?.unwrap_or_default();
        if manifest.get("pinned").is_none() {
            return Err(foreign("holds something else than a run; give another --out".into()));
        }
        return Ok(());
    }
    if folder.join(log).exists() {
        return Err(foreign(format!("holds {log} but no manifest.json: not a run; give another --out")));
    }
    // Hidden files are our lock, and what a crash left of a file half-written.
    let own = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".") || name == "world";
    match entries.find_map(|entry| entry.ok().filter(|entry| !own(&entry.file_name()))) {
        Some(entry) => {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            Err(foreign(format!("holds other things than a run, such as {name}; give another --out")))
        }
        None => Ok(()),
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let broken = |message: String| EvalError::File { path: path.into(), message };
    match std::fs::read(path) {
        Ok(bytes) => {
            let parsed = serde_json::from_slice(&bytes);
            let other =
                "not the manifest of a benchmark's run (of a world or a needle test, perhaps, or damaged)";
            Ok(Some(parsed.map_err(|_| broken(other.to_owned()))?))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(broken(error.to_string())),
    }
}

fn to_value(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| EvalError::Setting(format!("manifest: {e}")))
}

fn differences(a: &Value, b: &Value, ignored: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    compare("", a, b, &mut found);
    found.retain(|(path, _)| !ignored.contains(&path.as_str()));
    Ok(found.into_iter().map(|(path, text)| format!("{path}: {text}")).collect())
}

fn compare(path: &str, a: &Value, b: &Value, found: &mut Vec<(String, String)>) {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let names: std::collections::BTreeSet<_> = x.keys().chain(y.keys()).collect();
            for name in names {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let get =
                    |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or(Value::Null);
                compare(&below, &get(x), &get(y), found);
            }
        }
        _ if a != b && path.ends_with("digest") => found.push((path.to_owned(), "not the same".into())),
        _ if a != b => found.push((path.to_owned(), format!("{} there, {} now", short(a), short(b)))),
        _ => (),
    }
}

/// A value as text, cut where it is long.
fn short(value: &Value) -> String {
    const MOST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

/// SHA-256 over what decides the questions; where their videos lie does not count.
pub fn samples_digest(samples: &[Sample]) -> Result<String> {
    let mut hash = Sha256::new();
    for sample in samples {
        serde_json::to_writer(&mut hash, sample).map_err(|e| EvalError::Setting(format!("samples: {e}")))?;
        hash.update(b"\n");
    }
    Ok(hex(&hash.finalize()))
}

/// SHA-256 over names and contents of a checkpoint's files: weights, configurations, tokenizer, templates.
pub fn checkpoint_digest(folder: &Path) -> Result<String> {
    const KINDS: [&str; 6] = ["safetensors", "gguf", "json", "jinja", "txt", "model"];
    let broken =
        |path: &Path, e: std::io::Error| EvalError::File { path: path.into(), message: e.to_string() };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|e| broken(folder, e))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension().is_some_and(|kind| KINDS.iter().any(|k| kind == *k)) && path.is_file()
        })
        .collect();
    files.sort();
    let mut all = Sha256::new();
    for path in &files {
        let mut hash = Sha256::new();
        let mut file = File::open(path).map_err(|e| broken(path, e))?;
        let mut block = vec![0; 1 << 20];
        loop {
            match file.read(&mut block).map_err(|e| broken(path, e))? {
                0 => break,
                bytes => hash.update(&block[..bytes]),
            }
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        all.update(format!("{name} {}\n", hex(&hash.finalize())));
    }
    Ok(hex(&all.finalize()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
