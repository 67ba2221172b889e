//! The model inside the program: unpacked once, mended where it was damaged, refused nowhere.

use std::path::Path;

use longsight_hub::{BUILT_IN, HubSettings, ModelSource, NoProgress, resolve};

fn settings(cache: &Path) -> HubSettings {
    HubSettings::from_lookup(&|name| (name == "LONGSIGHT_CACHE").then(|| cache.display().to_string()))
}

fn unpack(cache: &Path) -> std::path::PathBuf {
    let folder = resolve(BUILT_IN, &settings(cache), &NoProgress).unwrap();
    assert_eq!(folder.source, ModelSource::BuiltIn);
    folder.path
}

#[test]
fn it_lies_in_the_cache_as_a_checkpoint_and_nothing_else_does() {
    let cache = tempfile::tempdir().unwrap();
    let folder = unpack(cache.path());
    assert!(folder.starts_with(cache.path()));
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "chat_template.json",
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "preprocessor_config.json",
            "tokenizer.json",
            "tokenizer_config.json"
        ]
    );
    let weights = std::fs::metadata(folder.join("model.safetensors")).unwrap();
    let written = weights.modified().unwrap();
    assert!(weights.len() <= 30_000_000, "at most 30 MB");
    unpack(cache.path());
    let again = std::fs::metadata(folder.join("model.safetensors")).unwrap().modified().unwrap();
    assert_eq!(again, written, "what is right is not written again");
}

#[test]
fn damaged_and_missing_files_are_mended() {
    let cache = tempfile::tempdir().unwrap();
    let folder = unpack(cache.path());
    let weights = folder.join("model.safetensors");
    let right = std::fs::read(&weights).unwrap();
    let mut wrong = right.clone();
    wrong[right.len() / 2] ^= 1;
    std::fs::write(&weights, &wrong).unwrap();
    std::fs::remove_file(folder.join("config.json")).unwrap();
    unpack(cache.path());
    assert!(std::fs::read(&weights).unwrap() == right);
    assert!(folder.join("config.json").is_file());
}

#[test]
fn several_at_once_find_it_whole() {
    let cache = tempfile::tempdir().unwrap();
    let folders: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| unpack(cache.path()))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for folder in folders {
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 7, "no partial files are left");
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_no_hindrance() {
    let cache = tempfile::NamedTempFile::new().unwrap(); // a file where the folder should be
    let folder = unpack(cache.path());
    assert!(folder.starts_with(std::env::temp_dir()) && folder.join("config.json").is_file());
}
