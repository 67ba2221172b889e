//! Random damage to a small safetensors file.

use super::{MODEL, assert_message};
use crate::folder::{Folder, safetensors_file};
use longsight_models::families::llava::Llava;
use longsight_models::family::Family;
use longsight_models::weights::{Checkpoint, NameMap, Weights};
use longsight_models::{Device, WeightDtype};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

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
