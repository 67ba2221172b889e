//! Random damage to a small safetensors file.

use super::{MODEL, assert_message};
use crate::folder::{Folder, safetensors_file};
use longsight_models::weights::{Checkpoint, NameMap, Weights};
use longsight_models::{DType, Device};
use proptest::prelude::*;

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

/// Opens a damaged file and reads whatever it still offers; a panic fails the test.
fn open_and_read(bytes: &[u8]) {
    let folder = Folder::empty();
    folder.write(MODEL, bytes);
    let checkpoint = match Checkpoint::open(folder.path()) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return assert_message(&error, &[]),
    };
    let names = NameMap::detect(&checkpoint);
    let weights = Weights::new(&checkpoint, &names, DType::F16, &Device::Cpu);
    for name in checkpoint.names() {
        let shape = checkpoint.info(name).unwrap().shape.clone();
        if let Err(error) = weights.get(name, &shape) {
            assert_message(&error, &[]);
        }
    }
    checkpoint.dtype();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_safetensors_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        keep in prop::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        let mut bytes = tiny_file();
        for (at, value) in &flips {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        open_and_read(&bytes);
    }
}

#[test]
fn every_truncation_of_a_small_file_is_an_error() {
    let whole = tiny_file();
    for length in 0..whole.len() {
        let folder = Folder::empty();
        folder.write(MODEL, &whole[..length]);
        assert_message(&Checkpoint::open(folder.path()).unwrap_err(), &[MODEL]);
    }
}
