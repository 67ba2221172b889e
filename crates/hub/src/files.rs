//! Which of a repository's files make a checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::HubError;
use crate::name::is_safe_path;

pub(crate) const CONFIG: &str = "config.json";
pub(crate) const SINGLE_WEIGHTS: &str = "model.safetensors";
pub(crate) const WEIGHTS_INDEX: &str = "model.safetensors.index.json";

const SMALL_FILES: [&str; 11] = [
    CONFIG,
    "generation_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "chat_template.json",
    "chat_template.jinja",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
];

/// The files of a repository that are wanted, by size: text files first, weights after them.
pub(crate) struct WantedFiles {
    /// Configuration, tokenizer, processor and, where there is no single weight file, the index of the shards.
    pub(crate) small: Vec<String>,
    /// All safetensors files at top level; the index says which of them are shards.
    safetensors: BTreeSet<String>,
}

impl WantedFiles {
    /// Chooses from a listing. A wanted name within an unsafe path is an error; other names do not matter.
    pub(crate) fn choose(repo: &str, listing: &[String]) -> Result<Self, HubError> {
        let mut small = Vec::new();
        let mut safetensors = BTreeSet::new();
        let has_single = listing.iter().any(|name| name == SINGLE_WEIGHTS);
        for name in listing {
            let base = name.rsplit(['/', '\\', ':']).next().unwrap_or(name);
            let (is_small, is_weights) = (is_small_file(base, has_single), base.ends_with(".safetensors"));
            if !is_small && !is_weights {
                continue;
            }
            if !is_safe_path(name) {
                return Err(HubError::UnsafeFileName { repo: repo.to_owned(), name: name.clone() });
            }
            match (base == name, is_weights) {
                (true, true) => drop(safetensors.insert(name.clone())),
                (true, false) => small.push(name.clone()),
                (false, _) => {}
            }
        }
        let missing = |file: &str| HubError::MissingFile { repo: repo.to_owned(), file: file.to_owned() };
        if !small.iter().any(|name| name == CONFIG) {
            return Err(missing(CONFIG));
        }
        if !has_single && !small.iter().any(|name| name == WEIGHTS_INDEX) {
            return Err(missing("model.safetensors and no model.safetensors.index.json"));
        }
        Ok(Self { small, safetensors })
    }

    /// The weight files, once the small files lie in `snapshot`.
    pub(crate) fn weights(&self, repo: &str, snapshot: &Path) -> Result<Vec<String>, HubError> {
        if self.safetensors.contains(SINGLE_WEIGHTS) {
            return Ok(vec![SINGLE_WEIGHTS.to_owned()]);
        }
        let shards = read_index(&snapshot.join(WEIGHTS_INDEX)).map_err(|problem| HubError::BadAnswer {
            host: repo.to_owned(),
            what: WEIGHTS_INDEX.to_owned(),
            problem,
        })?;
        for name in &shards {
            if !is_safe_path(name) || name.contains('/') {
                return Err(HubError::UnsafeFileName { repo: repo.to_owned(), name: name.clone() });
            }
            if !self.safetensors.contains(name) {
                return Err(HubError::MissingFile { repo: repo.to_owned(), file: name.clone() });
            }
        }
        Ok(shards.into_iter().collect())
    }
}

/// The index matters only where there is no single file: loaders take the single one when a repository has both.
fn is_small_file(name: &str, has_single_weights: bool) -> bool {
    SMALL_FILES.contains(&name)
        || name == "merges.txt"
        || (name == WEIGHTS_INDEX && !has_single_weights)
        || (name.contains("processor") && name.ends_with(".json"))
}

/// What a snapshot folder lacks to be a checkpoint; empty when it is complete.
pub(crate) fn missing_from(snapshot: &Path) -> Vec<String> {
    let lacks = |name: &str| !snapshot.join(name).is_file();
    let mut missing: Vec<String> = [CONFIG].into_iter().filter(|n| lacks(n)).map(str::to_owned).collect();
    if lacks(SINGLE_WEIGHTS) {
        match read_index(&snapshot.join(WEIGHTS_INDEX)) {
            Ok(shards) => missing.extend(shards.into_iter().filter(|n| !is_safe_path(n) || lacks(n))),
            Err(_) => missing.push(SINGLE_WEIGHTS.to_owned()),
        }
    }
    missing
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// An index of weights is smaller than this.
const MAX_INDEX_BYTES: u64 = 100 << 20;

/// The shards that an index names; at least one.
fn read_index(path: &Path) -> Result<BTreeSet<String>, String> {
    let text = longsight_text::read_file(path, MAX_INDEX_BYTES).map_err(|e| e.to_string())?;
    let index: Index = serde_json::from_slice(&text).map_err(|e| format!("malformed JSON: {e}"))?;
    if index.weight_map.is_empty() {
        return Err("it names no weights".to_owned());
    }
    Ok(index.weight_map.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(names: &[&str]) -> Result<WantedFiles, HubError> {
        WantedFiles::choose("a/b", &names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn only_a_checkpoints_files_are_wanted() {
        let wanted = choose(&[
            "README.md",
            "config.json",
            "model.safetensors",
            "model.safetensors.index.json",
            "pytorch_model.bin",
            "consolidated.pth",
            "onnx/config.json",
            "image_processor.json",
            "evil.py",
            "merges.txt",
        ]);
        let wanted = wanted.unwrap();
        assert_eq!(wanted.small, ["config.json", "image_processor.json", "merges.txt"]);
        assert_eq!(wanted.weights("a/b", Path::new("/nowhere")).unwrap(), ["model.safetensors"]);
    }

    #[test]
    fn hostile_names_are_refused() {
        for bad in [
            "/config.json",
            "../config.json",
            "..\\model.safetensors",
            "C:tokenizer.json",
            "a\u{7}_processor.json",
        ] {
            let got = choose(&["config.json", "model.safetensors", bad]);
            assert!(matches!(got, Err(HubError::UnsafeFileName { name, .. }) if name == bad), "{bad:?}");
        }
        assert!(choose(&["config.json", "model.safetensors", "notes\\of\\windows.txt"]).is_ok());
    }

    #[test]
    fn an_index_may_name_listed_shards_only() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = choose(&["config.json", WEIGHTS_INDEX, "model-1.safetensors"]).unwrap();
        let weights = |index: &str| {
            std::fs::write(dir.path().join(WEIGHTS_INDEX), index).unwrap();
            wanted.weights("a/b", dir.path())
        };
        assert_eq!(
            weights(r#"{"weight_map":{"x":"model-1.safetensors"}}"#).unwrap(),
            ["model-1.safetensors"]
        );
        assert!(matches!(weights(r#"{"weight_map":{"x":"../../x"}}"#), Err(HubError::UnsafeFileName { .. })));
        assert!(matches!(
            weights(r#"{"weight_map":{"x":"model-2.safetensors"}}"#),
            Err(HubError::MissingFile { .. })
        ));
        assert!(matches!(weights(r#"{"weight_map":{}}"#), Err(HubError::BadAnswer { .. })));
        assert!(matches!(weights("[["), Err(HubError::BadAnswer { .. })));
    }

    #[test]
    fn a_repository_without_safetensors_is_refused() {
        let missing = |names: &[&str]| matches!(choose(names), Err(HubError::MissingFile { .. }));
        assert!(missing(&["config.json", "pytorch_model.bin"]));
        assert!(missing(&["model.safetensors"]));
    }
}
