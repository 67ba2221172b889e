//! Stored dtypes and those that weights are loaded in.

use crate::folder::{Folder, safetensors_file};
use longsight_models::families::llava::Llava;
use longsight_models::family::Family;
use longsight_models::weights::{Checkpoint, NameMap, Weights};
use longsight_models::{DType, Device, WeightDtype};

/// The stored dtype is the weights', whatever config.json calls it.
#[test]
fn dtype_and_torch_dtype_do_not_change_what_the_file_holds() {
    for (key, name) in [("dtype", "float32"), ("torch_dtype", "float16")] {
        let folder = Folder::golden("d128-explicit-bf16");
        folder.edit("config.json", |config| {
            config.as_object_mut().unwrap().retain(|k, _| k != "dtype" && k != "torch_dtype");
            config[key] = name.into();
        });
        assert_eq!(folder.load().unwrap().dtype(), DType::BF16);
    }
}

#[test]
fn stored_values_come_out_in_every_dtype() {
    let values = [1.0f32, -0.5, 0.333_251_95, 3.140_625, 65504.0, 0.0];
    let bytes = |dtype: &str| -> Vec<u8> {
        let f16 = |v: &f32| half::f16::from_f32(*v).to_le_bytes();
        let bf16 = |v: &f32| half::bf16::from_f32(*v).to_le_bytes();
        match dtype {
            "F16" => values.iter().flat_map(f16).collect(),
            "BF16" => values.iter().flat_map(bf16).collect(),
            _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    };
    let round = |name: &str, v: f32| match name {
        "F16" => half::f16::from_f32(v).to_f32(),
        "BF16" => half::bf16::from_f32(v).to_f32(),
        _ => v,
    };
    for stored in ["F32", "F16", "BF16"] {
        let folder = Folder::empty();
        let file = safetensors_file(&[("a".into(), stored.into(), vec![2, 3], bytes(stored))]);
        folder.write("model.safetensors", file);
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let names = NameMap::detect(&checkpoint, Llava::OneVision.spellings());
        for (loaded, dtype) in [("F32", DType::F32), ("F16", DType::F16), ("BF16", DType::BF16)] {
            let weights = Weights::new(&checkpoint, &names, dtype.into(), &Device::Cpu);
            let tensor = weights.get("a", &[2, 3]).unwrap();
            assert_eq!(tensor.dtype(), dtype);
            let wide = tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let expected: Vec<f32> = values.iter().map(|v| round(loaded, round(stored, *v))).collect();
            assert_eq!(wide, expected, "{stored} as {loaded}");
        }
    }
}

/// More values than are converted at a time.
#[test]
fn a_tensor_beyond_one_piece_is_converted_whole() {
    let count = (1 << 18) + 3;
    let value = |i: usize| half::bf16::from_f32((i % 251) as f32);
    let data = (0..count).flat_map(|i| value(i).to_le_bytes()).collect();
    let folder = Folder::empty();
    folder.write("model.safetensors", safetensors_file(&[("a".into(), "BF16".into(), vec![count], data)]));
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let names = NameMap::detect(&checkpoint, Llava::OneVision.spellings());
    let tensor =
        Weights::new(&checkpoint, &names, WeightDtype::F32, &Device::Cpu).get("a", &[count]).unwrap();
    let expected: Vec<f32> = (0..count).map(|i| value(i).to_f32()).collect();
    assert_eq!(tensor.to_vec1::<f32>().unwrap(), expected);
}

#[test]
fn the_checkpoints_own_dtype_is_kept_unless_another_is_asked_for() {
    let of = |case: &str| Folder::golden(case).load().unwrap().dtype();
    assert_eq!(of("d32-gqa-tied"), DType::F32);
    assert_eq!(of("d128-explicit-bf16"), DType::BF16);
    assert_eq!(of("d32-explicit-fp16-clip"), DType::F16);
    assert_eq!(Folder::golden("d128-explicit-bf16").load_as(DType::F16).dtype(), DType::F16);
}

#[test]
fn planned_weight_bytes_follow_the_dtype() {
    let folder = Folder::golden("d128-explicit-bf16");
    let planned = |dtype| folder.describe(dtype).info.weights_bytes;
    let unused = |name: &str| name.contains("post_layernorm");
    let stored: usize = folder.tensors().iter().filter(|t| !unused(&t.0)).map(|t| t.3.len()).sum();
    assert_eq!(planned(None), stored as u64);
    assert_eq!(planned(Some(WeightDtype::F32)), 2 * stored as u64);
}
