//! A GGUF file beside the checkpoint stands in for its language model.

use crate::folder::Folder;
use crate::quantized::{features, logits, settings};
use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use longsight_models::{DType, Device, Lmm, LoadSettings, Tensor, WeightDtype};
use longsight_testkit::gguf::gguf_name;
use proptest::prelude::*;
use std::path::Path;

const CASE: &str = "video-average";

/// The language model of `folder` as a GGUF file: matrices in `matrices`, the rest in f32.
fn write_gguf(folder: &Folder, path: &Path, matrices: GgmlDType) {
    let mut tensors = Vec::new();
    for (name, dtype, shape, data) in folder.tensors() {
        let Some(renamed) = gguf_name(&name) else { continue };
        assert_eq!(dtype, "F32");
        let values = data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let values: Vec<f32> = values.collect();
        let tensor = Tensor::from_vec(values, shape.as_slice(), &Device::Cpu).unwrap();
        let dtype = if shape.len() == 2 { matrices } else { GgmlDType::F32 };
        tensors.push((renamed, QTensor::quantize(&tensor, dtype).unwrap()));
    }
    assert!(tensors.len() > 20, "{}", tensors.len());
    let architecture = gguf_file::Value::String("qwen2".into());
    let merges = gguf_file::Value::Array(vec![gguf_file::Value::String("a b".into()); 3]);
    let metadata = [("general.architecture", &architecture), ("tokenizer.ggml.merges", &merges)];
    let named: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut std::fs::File::create(path).unwrap(), &metadata, &named).unwrap();
}

fn with_gguf() -> Folder {
    with_gguf_of(GgmlDType::Q8_0)
}

fn with_gguf_of(matrices: GgmlDType) -> Folder {
    let folder = Folder::golden(CASE);
    write_gguf(&folder, &folder.file("language.gguf"), matrices);
    folder
}

#[test]
fn blocks_of_32_are_mapped_and_equal_those_quantized_on_load() {
    for (theirs, ours) in [
        (GgmlDType::Q4_1, WeightDtype::Q4_1),
        (GgmlDType::Q5_0, WeightDtype::Q5_0),
        (GgmlDType::Q5_1, WeightDtype::Q5_1),
    ] {
        let folder = with_gguf_of(theirs);
        let from_gguf = folder.load().unwrap();
        assert_eq!(from_gguf.info().dtypes.text, ours);
        let plain = Folder::golden(CASE);
        let on_load = Lmm::load(plain.path(), &settings(ours, WeightDtype::Int8)).unwrap();
        assert_eq!(logits(&from_gguf), logits(&on_load), "{ours}");
        let good = folder.bytes("language.gguf");
        for cut in [1, 12] {
            folder.write("language.gguf", &good[..good.len() - 32 - cut]);
            let error = folder.load().err().unwrap().to_string();
            assert!(error.contains("truncated") && !error.contains('\n'), "{ours} {cut}: {error}");
        }
    }
}

/// A file with one matrix of two rows of `inputs` weights, of a GGUF type.
fn one_matrix(kind: u32, inputs: u64) -> Vec<u8> {
    let name = b"token_embd.weight";
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    [1, 0, name.len() as u64].iter().for_each(|n: &u64| bytes.extend(n.to_le_bytes()));
    bytes.extend(name);
    bytes.extend(2u32.to_le_bytes());
    [inputs, 2].iter().for_each(|n: &u64| bytes.extend(n.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend([0; 4096]);
    bytes
}

#[test]
fn rows_that_32_does_not_divide_are_an_error() {
    let folder = Folder::golden(CASE);
    for kind in [2, 3, 6, 7, 8] {
        for inputs in [1, 31, 33, u64::MAX / 64] {
            folder.write("language.gguf", one_matrix(kind, inputs));
            let error = folder.load().err().unwrap().to_string();
            assert!(error.contains("language.gguf") && !error.contains('\n'), "{kind} {inputs}: {error}");
        }
    }
}

#[test]
fn its_language_model_is_the_one_quantized_on_load() {
    let folder = with_gguf();
    let from_gguf = Lmm::load(folder.path(), &LoadSettings::default()).unwrap();
    assert_eq!(from_gguf.info().dtypes.text, WeightDtype::Q8_0);
    let plain = Folder::golden(CASE);
    let on_load = Lmm::load(plain.path(), &settings(WeightDtype::Q8_0, WeightDtype::Int8)).unwrap();
    assert_eq!(logits(&from_gguf), logits(&on_load));
    assert_eq!(features(&from_gguf), features(&on_load));
    assert_eq!(from_gguf.info().matrices, on_load.info().matrices);
    assert_ne!(logits(&from_gguf), logits(&plain.load_as(DType::F32)));
}

#[test]
fn two_files_or_damage_are_errors_of_one_line() {
    let folder = with_gguf();
    let good = folder.bytes("language.gguf");
    let error = |folder: &Folder| {
        let error = folder.load().err().unwrap().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    };
    folder.write("other.gguf", &good);
    assert!(error(&folder).contains("2 GGUF files"));
    folder.remove("other.gguf");
    for length in [0, 3, 8, 20, 60, 200, good.len() / 2, good.len() - 64] {
        folder.write("language.gguf", &good[..length]);
        error(&folder);
    }
    folder.write("language.gguf", [b"GGUF".as_slice(), &9u32.to_le_bytes(), &[0; 64]].concat());
    assert!(error(&folder).contains("version 9"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_headers_never_panic(at in 0usize..3000, value: u8) {
        thread_local!(static FOLDER: Folder = with_gguf());
        FOLDER.with(|folder| {
            let mut bytes = folder.bytes("language.gguf");
            let good = bytes.clone();
            let at = at % bytes.len();
            bytes[at] = value;
            folder.write("language.gguf", &bytes);
            let _ = folder.load();
            folder.write("language.gguf", &good);
        });
    }
}
