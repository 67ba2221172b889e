//! A run that an earlier version began: what is not the same is named.

use longsight_engine::RunSettings;
use longsight_eval::run::{Manifest, RunFolder};
use std::path::Path;

/// A copy of the run of one question that 847bfce wrote, with its manifest.
fn old_run() -> (tempfile::TempDir, Manifest) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/run-847bfce");
    let copy = tempfile::tempdir().unwrap();
    for file in ["manifest.json", "responses.jsonl"] {
        std::fs::copy(kept.join(file), copy.path().join(file)).unwrap();
    }
    let manifest = Manifest::read(copy.path()).unwrap().unwrap();
    (copy, manifest)
}

/// Its frames had other pixels, and some settings have other names now.
#[test]
fn a_run_of_847bfce_is_refused() {
    let (folder, mut manifest) = old_run();
    let settings = RunSettings { pool: Some("4,2,8".parse().unwrap()), ..Default::default() };
    manifest.pinned.settings = settings.manifest();
    let error = RunFolder::open(folder.path(), &manifest).err().unwrap().to_string();
    assert!(!error.contains('\n'));
    let differences = "settings.colour: null there, \"reference\" now; settings.ramp: null there, \"truncated\" now; \
                       settings.template: \"qwen_1_5\" there, \"trained\" now";
    assert!(error.contains(&format!("({differences})")), "{error}");
}
