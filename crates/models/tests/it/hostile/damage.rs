//! Random damage to a small safetensors file.

use super::{MODEL, assert_message, golden};
use crate::folder::{Folder, safetensors_file};
use longsight_models::families::llava::Llava;
use longsight_models::family::Family;
use longsight_models::weights::{Checkpoint, NameMap, Weights};
use longsight_models::{Device, WeightDtype};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value;

fn tiny_file() -> Vec<u8> {
    let tensor = |name: &str, dtype: &str, shape: Vec<usize>, bytes| {
        (name.into(), dtype.into(), shape, vec![1; bytes])
    };
    safetensors_file(&[
        tensor("a.weight", "F32", vec![2, 3], 24),
        tensor("b.weight", "BF16", vec![4], 8),
        tensor("c.position_ids", "I64", vec![1, 2], 16),
    ])
}

/// Opens a damaged file and reads whatever it still offers, if anything; a panic fails the test.
fn open_and_read(folder: &Folder, bytes: &[u8]) {
    folder.write(MODEL, bytes);
    let checkpoint = match Checkpoint::open(folder.path()) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return assert_message(&error, &[MODEL]),
    };
    let names = NameMap::detect(&checkpoint, Llava::OneVision.spellings());
    let weights = Weights::new(&checkpoint, &names, WeightDtype::F16, &Device::Cpu);
    for name in checkpoint.names() {
        let shape = checkpoint.info(name).unwrap().shape.clone();
        if let Err(error) = weights.get(name, &shape) {
            assert_message(&error, &[]);
        }
    }
    checkpoint.dtype();
}

#[test]
fn damaged_safetensors_never_panic() {
    let folder = Folder::empty();
    let whole = tiny_file();
    let flips = prop::collection::vec((0..whole.len(), any::<u8>()), 0..4);
    let length = prop_oneof![3 => Just(whole.len()), 1 => 0..whole.len()];
    let mut runner = TestRunner::new(ProptestConfig { cases: 2000, ..ProptestConfig::default() });
    let result = runner.run(&(flips, length), |(flips, length)| {
        let mut bytes = whole.clone();
        flips.iter().for_each(|(at, value)| bytes[*at] = *value);
        open_and_read(&folder, &bytes[..length]);
        Ok(())
    });
    result.unwrap();
}

#[test]
fn every_truncation_of_a_small_file_is_an_error() {
    let whole = tiny_file();
    let folder = Folder::empty();
    for length in 0..whole.len() {
        folder.write(MODEL, &whole[..length]);
        assert_message(&Checkpoint::open(folder.path()).unwrap_err(), &[MODEL]);
    }
    folder.write(MODEL, &whole);
    assert_eq!(Checkpoint::open(folder.path()).unwrap().names().count(), 3);
}

/// Pointers of all values that are neither list nor object.
fn leaves(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| leaves(value, &format!("{pointer}/{key}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| leaves(value, &format!("{pointer}/{i}"), found));
        }
        _ => found.push(pointer.to_owned()),
    }
}

#[test]
fn no_message_repeats_more_than_200_characters_of_a_file() {
    let long = "\u{416}".repeat(5000);
    let folder = golden();
    let mut refusals = 0;
    for name in ["config.json", "generation_config.json", "preprocessor_config.json", "tokenizer_config.json"]
    {
        if !folder.file(name).exists() {
            continue;
        }
        let (whole, mut pointers) = (folder.json(name), Vec::new());
        leaves(&whole, "", &mut pointers);
        for pointer in pointers {
            folder.edit(name, |value| *value.pointer_mut(&pointer).unwrap() = long.as_str().into());
            if let Err(error) = folder.load() {
                let told = error.to_string().chars().filter(|&c| c == '\u{416}').count();
                assert!(told <= 200, "{name} {pointer}: {error}");
                refusals += 1;
            }
        }
        folder.write(name, whole.to_string());
    }
    assert!(refusals > 10, "{refusals}");
    folder.edit_tensors(|tensors| tensors[0].0.clone_from(&long));
    let error = folder.load().err().unwrap().to_string();
    assert!(error.chars().filter(|&c| c == '\u{416}').count() <= 200, "{error}");
}
