//! Quantized weights: on load, in files of our own, and against candle's reading of the GGUF formats.

use crate::folder::Folder;
use candle_core::quantized::{GgmlDType, QTensor};
use longsight_kernels::{Format, QuantizedMatrix};
use longsight_method::{RopePlan, RopeSettings};
use longsight_models::layers::Rotary;
use longsight_models::{DType, Device, KvCache, KvDtype, Lmm, LoadSettings, Tensor, WeightDtype, quantize};
use std::ops::ControlFlow;
use std::path::Path;

/// Rows of 64 and 96 weights in the language model, of 36 and 70 in the tower: K-quants fall back to q8_0, and that to int8.
const CASE: &str = "video-average";

pub fn settings(dtype: WeightDtype, vision_dtype: WeightDtype) -> LoadSettings {
    LoadSettings { dtype: Some(dtype), vision_dtype: Some(vision_dtype), ..Default::default() }
}

fn noise(n: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

pub fn features(model: &Lmm) -> Vec<f32> {
    let side = model.config().vision().unwrap().tower.image_side;
    let pixels = Tensor::from_vec(noise(2 * 3 * side * side), (2, 3, side, side), &Device::Cpu).unwrap();
    model.features(&pixels).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

pub fn logits(model: &Lmm) -> Vec<f32> {
    let ids: Vec<u32> = (5..25).collect();
    let text = model.decoder();
    let shape = model.config().rope_shape(None, None);
    let plan = RopePlan::new(&RopeSettings::default(), &shape, 1).unwrap();
    let rotary = Rotary::new(&plan, &(0..ids.len()).collect::<Vec<_>>(), &Device::Cpu).unwrap();
    let mut cache = KvCache::new(text.kv_shape(), ids.len(), KvDtype::F32, &Device::Cpu).unwrap();
    let hidden = text.forward(&text.embed(&ids).unwrap(), &rotary, &mut cache).unwrap();
    text.last_logits(&hidden).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn gguf_formats_are_read_as_candle_reads_them() {
    let rows = Tensor::from_vec(noise(3 * 512), (3, 512), &Device::Cpu).unwrap();
    for (format, dtype) in [
        (Format::Q8_0, GgmlDType::Q8_0),
        (Format::Q4_0, GgmlDType::Q4_0),
        (Format::Q4_1, GgmlDType::Q4_1),
        (Format::Q5_0, GgmlDType::Q5_0),
        (Format::Q5_1, GgmlDType::Q5_1),
        (Format::Q6K, GgmlDType::Q6K),
        (Format::Q5K, GgmlDType::Q5K),
        (Format::Q4K, GgmlDType::Q4K),
    ] {
        let theirs = QTensor::quantize(&rows, dtype).unwrap();
        let bytes = theirs.data().unwrap();
        let ours = QuantizedMatrix::new(format, &bytes, 512, 3).unwrap();
        let expected: Vec<Vec<f32>> = theirs.dequantize(&Device::Cpu).unwrap().to_vec2().unwrap();
        for (row, expected) in expected.iter().enumerate() {
            let mut got = vec![0.0; 512];
            ours.dequantize_row(row, &mut got);
            for (got, expected) in got.iter().zip(expected) {
                let allowed =
                    if matches!(format, Format::Q4_1 | Format::Q5_0 | Format::Q5_1) { 0.0 } else { 2e-4 };
                assert!((got - expected).abs() <= allowed, "{format:?}: {got} for {expected}");
            }
        }
    }
}

#[test]
pub fn features_and_logits_stay_close_to_those_of_floats() {
    let folder = Folder::golden(CASE);
    let exact = folder.load_as(DType::F32);
    let (exact_features, exact_logits) = (features(&exact), logits(&exact));
    for (dtype, vision, least) in [
        (WeightDtype::Int8, WeightDtype::Int8, 0.998), // activations of 8 bits too
        (WeightDtype::Q8_0, WeightDtype::Q8_0, 0.999),
        (WeightDtype::Q6K, WeightDtype::Q6K, 0.999),
        (WeightDtype::Q4_0, WeightDtype::Q4_0, 0.7), // logits of random weights,
    ] {
        let model = Lmm::load(folder.path(), &settings(dtype, vision)).unwrap();
        let near = [cosine(&features(&model), &exact_features), cosine(&logits(&model), &exact_logits)];
        assert!(near.iter().all(|c| *c > least), "{dtype}: {near:?}");
    }
}

#[test]
fn a_tower_beside_a_quantized_language_model_is_int8_unless_asked() {
    let folder = Folder::golden(CASE);
    let dtypes = |dtype| folder.describe(dtype).info.dtypes.to_string();
    assert_eq!(dtypes(Some(WeightDtype::Q4K)), "q4k, tower int8");
    assert_eq!(dtypes(Some(WeightDtype::F16)), "f16");
    assert_eq!(dtypes(None), "f32");
}

#[test]
fn a_quantized_checkpoint_is_the_one_quantized_on_load() {
    let folder = Folder::golden(CASE);
    let asked = settings(WeightDtype::Q8_0, WeightDtype::Int8);
    let target = folder.file("made/quantized");
    let mut seen = Vec::new();
    let made = quantize(folder.path(), &target, &asked, &mut |done, total| {
        seen.push((done, total));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(seen.windows(2).all(|w| w[0].0 <= w[1].0));
    assert!(seen.last().is_some_and(|(done, total)| done == total));
    assert_eq!(made.bytes, std::fs::metadata(target.join("model.safetensors")).unwrap().len());

    let (mapped, loaded) =
        (Lmm::load(&target, &LoadSettings::default()).unwrap(), Lmm::load(folder.path(), &asked).unwrap());
    assert_eq!(mapped.info().dtypes, loaded.info().dtypes);
    assert_eq!(mapped.info().matrices, loaded.info().matrices);
    assert_eq!(features(&mapped), features(&loaded));
    assert_eq!(logits(&mapped), logits(&loaded));
}

fn go_on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn a_tower_in_floats_beside_quantized_weights_is_stored_and_loaded_as_asked() {
    let folder = Folder::golden(CASE);
    let mut sizes = Vec::new();
    for vision in [WeightDtype::F32, WeightDtype::F16, WeightDtype::Bf16] {
        let asked = settings(WeightDtype::Q8_0, vision);
        let target = folder.file(vision.as_str());
        let made = quantize(folder.path(), &target, &asked, &mut go_on).unwrap();
        sizes.push(made.bytes);
        let (mapped, loaded) =
            (Lmm::load(&target, &LoadSettings::default()), Lmm::load(folder.path(), &asked));
        let (mapped, loaded) = (mapped.unwrap(), loaded.unwrap());
        assert_eq!(mapped.info().dtypes, loaded.info().dtypes);
        assert!(features(&mapped) == features(&loaded), "{vision}");
    }
    assert!(sizes[1] < sizes[0] && sizes[2] < sizes[0], "{sizes:?}");
}

#[test]
fn weights_that_are_no_numbers_are_an_error_where_they_are_read_or_used() {
    let folder = Folder::golden(CASE);
    let asked = settings(WeightDtype::Q8_0, WeightDtype::Int8);
    let file = folder.file("model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2 / 4 * 4;
    bytes[middle..middle + 4096].fill(0xff);
    std::fs::write(&file, bytes).unwrap();
    let error = refused(folder.path(), &folder.file("made"), &asked);
    assert!(
        ["model.safetensors", "tensor `", "finite", "download"].iter().all(|w| error.contains(w)),
        "{error}"
    );
    assert!(!folder.file("made").exists());
    let model = Lmm::load(folder.path(), &LoadSettings::default()).unwrap();
    let text = model.decoder();
    let nan = Tensor::full(f32::NAN, (1, text.embed(&[0]).unwrap().dim(1).unwrap()), &Device::Cpu).unwrap();
    let error = text.last_logits(&nan).unwrap_err().to_string();
    assert!(error.contains("not finite"), "{error}");
}

fn refused(source: &Path, target: &Path, asked: &LoadSettings) -> String {
    let error = quantize(source, target, asked, &mut go_on).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn what_cannot_be_quantized_is_refused_and_leaves_nothing() {
    let folder = Folder::golden(CASE);
    let asked = settings(WeightDtype::Q8_0, WeightDtype::Int8);
    let target = folder.file("made");
    std::fs::create_dir(&target).unwrap();
    assert!(refused(folder.path(), &target, &asked).contains("name a new folder"));
    std::fs::remove_dir(&target).unwrap();
    let floats = settings(WeightDtype::F16, WeightDtype::F16);
    assert!(refused(folder.path(), &target, &floats).contains("name a dtype"));
    let stopped = quantize(folder.path(), &target, &asked, &mut |_, _| ControlFlow::Break(()));
    assert!(stopped.unwrap_err().to_string().contains("stopped"));
    quantize(folder.path(), &target, &asked, &mut go_on).unwrap();
    let again = folder.file("again");
    assert!(refused(&target, &again, &asked).contains("quantized already"));
    let other = settings(WeightDtype::Q4_0, WeightDtype::Int8);
    let error = Lmm::load(&target, &other).err().unwrap().to_string();
    assert!(error.contains("quantized to q8_0"), "{error}");
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!names.iter().any(|n| n.to_string_lossy().starts_with(".quantize")), "{names:?}");
}

#[test]
fn damage_to_a_quantized_file_is_an_error() {
    let folder = Folder::golden(CASE);
    let target = folder.file("made");
    quantize(folder.path(), &target, &settings(WeightDtype::Q8_0, WeightDtype::Int8), &mut go_on).unwrap();
    let file = target.join("model.safetensors");
    let good = std::fs::read(&file).unwrap();
    let fails = |bytes: &[u8], what: &str| {
        std::fs::write(&file, bytes).unwrap();
        let error = Lmm::load(&target, &LoadSettings::default()).err().unwrap().to_string();
        assert!(error.contains(what), "{error}");
    };
    fails(&good[..good.len() - 1], "truncated");
    let replace = |from: &str, to: &str| {
        let at = good.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut bytes = good.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    fails(&replace("\"q8_0 ", "\"q9_0 "), "this version cannot read");
    fails(&replace("\"q8_0 64\"", "\"q4_0 64\""), "metadata");
}
