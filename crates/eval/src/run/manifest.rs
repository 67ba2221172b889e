//! What a run asked and how, pinned: a run goes on, and shards merge, only under the same settings.

use crate::run::{Selection, write_json};
use crate::{EvalError, Profile, PromptKey, Result, Sample, Task};
use longsight_engine::RunSettings;
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

/// Writes the manifest of a run that begins in `folder`; refuses to go on with one of other settings.
///
/// # Errors
/// What differs, by name.
pub fn pin(folder: &Path, pinned: &impl Serialize, environment: &Environment) -> Result<()> {
    let path = folder.join("manifest.json");
    let pinned = to_value(pinned)?;
    let Some(earlier) = read::<Value>(&path)? else {
        return write_json(&path, &json!({ "pinned": pinned, "environment": environment }));
    };
    let differences = differences(earlier.get("pinned").unwrap_or(&Value::Null), &pinned, &[])?;
    if differences.is_empty() {
        return Ok(());
    }
    Err(EvalError::File {
        path: folder.into(),
        message: format!(
            "this run was begun with other settings ({}); give the same, or another --out",
            differences.join("; ")
        ),
    })
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let broken = |message: String| EvalError::File { path: path.into(), message };
    match std::fs::read(path) {
        Ok(bytes) => {
            let parsed = serde_json::from_slice(&bytes);
            Ok(Some(parsed.map_err(|e| broken(format!("not a run's manifest ({e})")))?))
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
        _ if a != b => found.push((path.to_owned(), format!("{a} there, {b} now"))),
        _ => (),
    }
}

/// The engine's settings that decide answers, by name.
pub fn settings_value(run: &RunSettings) -> Value {
    let (context, engine) = (&run.context, &run.engine);
    json!({
        "context": context.method.to_string(),
        "scale": context.scale.to_string(),
        "visual_window_tokens": context.visual_window_tokens,
        "language_window_tokens": context.language_window_tokens,
        "attention_factor": !context.attention_factor_off,
        "alpha": context.alpha,
        "beta": context.beta,
        "pool": run.pool.to_string(),
        "template": run.template.to_string(),
        "generation": run.generation,
        "chunk_tokens": engine.chunk_tokens,
        "encode_batch_frames": engine.encode_batch_frames,
    })
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
    const KINDS: [&str; 5] = ["safetensors", "json", "jinja", "txt", "model"];
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
