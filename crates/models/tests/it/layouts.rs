//! Every spelling of a checkpoint is the same model.

use crate::folder::{Folder, Stored, safetensors_file};
use crate::parity::{generate, load};
use longsight_method::{NewlineMode, PoolMode};
use longsight_models::families::llava::{Family, LlavaConfig};
use longsight_models::weights::{Checkpoint, NameMap, Weights};
use longsight_models::{DType, Device, Llava};
use longsight_testkit::Golden;
use longsight_testkit::layouts::{Layout, convert_checkpoint};
use serde_json::{Value, json};

/// Logits after the golden's prompt, and the greedy tokens that follow.
fn answer(golden: &Golden, model: &Llava) -> (Vec<f32>, Vec<u32>) {
    generate(golden, model, "vcwe", usize::MAX / 2, 4)
}

/// Asserts that the checkpoint in `folder` is bit for bit the model of `golden`; rows beyond its own are padding.
#[track_caller]
fn assert_same(golden: &Golden, folder: &Folder, what: &str) {
    let (expected, expected_tokens) = answer(golden, &load(golden, DType::F32));
    let (logits, tokens) = answer(golden, &folder.load_as(DType::F32));
    assert_eq!(tokens, expected_tokens, "{what}");
    let rows = expected.len().min(logits.len());
    assert!(rows >= golden.meta.tokenizer_size, "{what}");
    assert!(logits[..rows].iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{what}: logits");
}

#[test]
fn every_layout_is_the_same_model() {
    for case in ["d32-gqa-tied", "d64-mha-sharded", "d128-explicit-bf16", "d32-explicit-fp16-clip"] {
        let golden = Golden::load(case);
        for layout in Layout::ALL {
            let folder = Folder::empty();
            convert_checkpoint(&golden.checkpoint(), folder.path(), layout).unwrap();
            assert_same(&golden, &folder, &format!("{case} as {layout:?}"));
        }
    }
}

#[test]
fn a_file_that_mixes_spellings_loads() {
    let golden = Golden::load("d32-gqa-tied");
    let folder = Folder::golden("d32-gqa-tied");
    folder.edit_tensors(|tensors| {
        for (name, ..) in tensors {
            if name.starts_with("multi_modal_projector.") {
                *name = Layout::LmmsLab.rename(name);
            }
        }
    });
    assert_same(&golden, &folder, "original projector names");
}

/// Writes tensors as two shards with an index.
fn shard(folder: &Folder, tensors: &[Stored]) {
    let mut map = serde_json::Map::new();
    for (i, part) in tensors.chunks(tensors.len().div_ceil(2)).enumerate() {
        let name = format!("model-0000{}-of-00002.safetensors", i + 1);
        folder.write(&name, safetensors_file(part));
        map.extend(part.iter().map(|(tensor, ..)| (tensor.clone(), Value::from(name.as_str()))));
    }
    folder.write("model.safetensors.index.json", json!({"metadata": {}, "weight_map": map}).to_string());
}

#[test]
fn shards_are_the_same_model_as_one_file() {
    let golden = Golden::load("d32-gqa-tied");
    let folder = Folder::golden("d32-gqa-tied");
    shard(&folder, &folder.tensors());
    folder.remove("model.safetensors");
    assert_same(&golden, &folder, "two shards");
}

#[test]
fn model_safetensors_wins_over_an_index() {
    let golden = Golden::load("d32-gqa-tied");
    let folder = Folder::golden("d32-gqa-tied");
    let mut zeros = folder.tensors();
    zeros.iter_mut().for_each(|(.., data)| data.fill(0));
    shard(&folder, &zeros);
    assert_same(&golden, &folder, "index beside model.safetensors");
    folder.write("model.safetensors.index.json", "damaged, and never read");
    assert_same(&golden, &folder, "damaged index beside model.safetensors");
}

#[test]
fn one_safetensors_file_of_another_name_is_found() {
    let golden = Golden::load("d32-gqa-tied");
    let folder = Folder::golden("d32-gqa-tied");
    std::fs::rename(folder.file("model.safetensors"), folder.file("weights.safetensors")).unwrap();
    assert_same(&golden, &folder, "weights.safetensors");
}

#[test]
fn a_tied_head_ignores_an_lm_head_in_the_file() {
    let golden = Golden::load("d32-gqa-tied");
    for name in ["language_model.lm_head.weight", "lm_head.weight"] {
        let folder = Folder::golden("d32-gqa-tied");
        folder.edit_tensors(|tensors| {
            let table = tensors.iter().find(|t| t.0.ends_with("embed_tokens.weight")).unwrap();
            let other = vec![0x3f; table.3.len()];
            tensors.push((name.into(), table.1.clone(), table.2.clone(), other));
        });
        assert_same(&golden, &folder, name);
    }
}

#[test]
fn tying_is_read_from_the_text_config_first() {
    let golden = Golden::load("d32-gqa-tied");
    let folder = Folder::golden("d32-gqa-tied");
    folder.set("/tie_word_embeddings", json!(false));
    assert_same(&golden, &folder, "tied in text_config alone");
}

#[test]
fn an_explicit_head_dim_overrides_hidden_over_heads() {
    let golden = Golden::load("d128-explicit-bf16");
    let text = LlavaConfig::read(&golden.checkpoint()).unwrap().text;
    assert_eq!(text.head_dim, golden.meta.head_dim);
    assert_ne!(text.head_dim, text.hidden / text.heads);
}

#[test]
fn padded_vocabulary_rows_are_taken_from_the_file() {
    let golden = Golden::load("d64-mha-sharded");
    let folder = Folder::empty();
    convert_checkpoint(&golden.checkpoint(), folder.path(), Layout::LlavaHf).unwrap();
    folder.edit_tensors(|tensors| {
        for (name, _, shape, data) in tensors {
            if name.ends_with("embed_tokens.weight") || name.ends_with("lm_head.weight") {
                data.extend(vec![0; 40 * shape[1] * 4]);
                shape[0] += 40;
            }
        }
    });
    assert_same(&golden, &folder, "40 more rows than vocab_size");
    let rows = longsight_models::Description::read(folder.path(), None).unwrap().info.vocabulary;
    assert_eq!(rows, 296 + 40);
}

#[test]
fn rope_parameters_of_transformers_5_and_rope_theta_agree() {
    let golden = Golden::load("d32-gqa-tied");
    let folder = Folder::golden("d32-gqa-tied");
    folder.edit("config.json", |config| {
        let text = config["text_config"].as_object_mut().unwrap();
        let theta = text.remove("rope_theta").unwrap();
        text.remove("rope_scaling");
        text.insert("rope_parameters".into(), json!({"rope_theta": theta, "rope_type": "default"}));
        let dtype = config.as_object_mut().unwrap().remove("torch_dtype").unwrap();
        config["dtype"] = dtype; // the new name of torch_dtype
    });
    assert_same(&golden, &folder, "rope_parameters and dtype");
    folder.set("/text_config/rope_parameters/rope_theta", json!(5e5));
    assert_eq!(LlavaConfig::read(folder.path()).unwrap().text.rope_theta, 5e5);
}

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
        let names = NameMap::detect(&checkpoint);
        for (loaded, dtype) in [("F32", DType::F32), ("F16", DType::F16), ("BF16", DType::BF16)] {
            let weights = Weights::new(&checkpoint, &names, dtype, &Device::Cpu);
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
    let names = NameMap::detect(&checkpoint);
    let tensor = Weights::new(&checkpoint, &names, DType::F32, &Device::Cpu).get("a", &[count]).unwrap();
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
    let planned =
        |dtype| longsight_models::Description::read(folder.path(), dtype).unwrap().info.weights_bytes;
    let unused = |name: &str| name.contains("post_layernorm");
    let stored: usize = folder.tensors().iter().filter(|t| !unused(&t.0)).map(|t| t.3.len()).sum();
    assert_eq!(planned(None), stored as u64);
    assert_eq!(planned(Some(DType::F32)), 2 * stored as u64);
}

#[test]
fn buffers_of_old_files_are_no_unused_tensors() {
    let folder = Folder::golden("d32-gqa-tied");
    folder.edit_tensors(|tensors| {
        let ids: Vec<u8> = (0..81i64).flat_map(i64::to_le_bytes).collect();
        let name = "vision_tower.vision_model.embeddings.position_ids";
        tensors.push((name.into(), "I64".into(), vec![1, 81], ids));
        let name = "language_model.model.layers.0.self_attn.rotary_emb.inv_freq";
        tensors.push((name.into(), "F32".into(), vec![16], vec![0; 64]));
    });
    assert_same(&Golden::load("d32-gqa-tied"), &folder, "with buffers");
}

#[test]
fn preprocessor_files_in_all_four_places() {
    let own = json!({"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "size": {"height": 19, "width": 19}});
    let other = json!({"image_mean": [0.9, 0.9, 0.9], "image_std": [0.9, 0.9, 0.9]}).to_string();
    let places = [
        ("processor_config.json", json!({"video_processor": own}).to_string()),
        ("video_preprocessor_config.json", own.to_string()),
        ("preprocessor_config.json", own.to_string()),
        ("video_processor/preprocessor_config.json", own.to_string()),
    ];
    for (i, (place, content)) in places.iter().enumerate() {
        let folder = Folder::golden("d32-gqa-tied");
        folder.remove("preprocessor_config.json").write(place, content);
        if i == 0 {
            folder.write("video_preprocessor_config.json", &other);
        }
        for (later, _) in &places[i + 1..] {
            folder.write(later, &other);
        }
        let pixels = LlavaConfig::read(folder.path()).unwrap().pixels;
        assert_eq!(pixels.source.as_deref(), Some(*place));
        assert_eq!((pixels.mean, pixels.std), ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]));
    }
}

#[test]
fn without_a_preprocessor_file_pixels_are_normalised_as_in_training() {
    let folder = Folder::golden("d32-gqa-tied");
    folder.remove("preprocessor_config.json").write("processor_config.json", "{\"num_image_tokens\": 729}");
    let pixels = LlavaConfig::read(folder.path()).unwrap().pixels;
    assert_eq!((pixels.mean, pixels.std, pixels.source), ([0.5; 3], [0.5; 3], None));
}

/// A config of the original layout with the published tower, without weights.
fn original(change: impl FnOnce(&mut Value)) -> LlavaConfig {
    let folder = Folder::empty();
    let mut config = json!({
        "architectures": ["LlavaQwenForCausalLM"], "model_type": "llava", "hidden_size": 3584,
        "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4,
        "rope_theta": 1e6, "max_position_embeddings": 32768, "mm_projector_type": "mlp2x_gelu",
        "mm_patch_merge_type": "spatial_unpad", "mm_vision_tower": "google/siglip-so400m-patch14-384",
        "mm_resampler_type": null, "rope_scaling": null, "vocab_size": 152064,
    });
    change(&mut config);
    folder.write("config.json", config.to_string());
    LlavaConfig::read(folder.path()).unwrap()
}

#[test]
fn visual_windows_of_the_families() {
    let video = |mode: &'static str, hidden: usize| {
        original(move |config| {
            config["mm_newline_position"] = "grid".into();
            config["mm_spatial_pool_mode"] = mode.into();
            config["hidden_size"] = hidden.into();
            if hidden == 8192 {
                config["num_attention_heads"] = 64.into();
                config["num_key_value_heads"] = 8.into();
            }
        })
    };
    let one_vision = original(|_| {});
    assert_eq!((one_vision.family, one_vision.vision.grid_side()), (Family::OneVision, 27));
    assert_eq!((one_vision.pool_mode, one_vision.newline), (PoolMode::Bilinear, NewlineMode::OneToken));
    assert_eq!(one_vision.visual_window_tokens, 6272);
    assert_eq!(video("bilinear", 3584).visual_window_tokens, 13440);
    assert_eq!(video("average", 3584).visual_window_tokens, 11648);
    assert_eq!(video("bilinear", 8192).visual_window_tokens, 6720);
    assert_eq!(video("average", 3584).family, Family::Video);
}

#[test]
fn newline_modes_of_the_original_layout() {
    let mode = |merge: &'static str, position: Option<&'static str>| {
        let config = original(move |config| {
            config["mm_patch_merge_type"] = merge.into();
            config["mm_newline_position"] = position.into();
        });
        config.newline
    };
    assert_eq!(mode("spatial_unpad", None), NewlineMode::OneToken);
    assert_eq!(mode("spatial", Some("one_token")), NewlineMode::None);
    assert_eq!(mode("spatial_unpad", Some("no_token")), NewlineMode::None);
    assert_eq!(mode("spatial_unpad", Some("frame")), NewlineMode::Frame);
    assert_eq!(mode("spatial_unpad", Some("grid")), NewlineMode::Grid);
}

#[test]
fn rope_scaling_of_the_original_layout_is_ignored_with_a_warning() {
    let config = original(|config| config["rope_scaling"] = json!({"type": "linear", "factor": 4.0}));
    assert_eq!(config.rope_shape(None, None).theta, 1e6);
    assert!(config.warnings.iter().any(|w| w.contains("rope_scaling")), "{:?}", config.warnings);
    assert!(original(|_| {}).warnings.is_empty());
}

#[test]
fn the_longsight_object_of_config_json() {
    let config = original(|config| {
        config["longsight"] = json!({"visual_window_tokens": 1234, "alpha": 2.0, "beta": 16});
    });
    assert_eq!((config.visual_window_tokens, config.ramp), (1234, Some((2.0, 16.0))));
    assert_eq!(config.visual_window_source, "config.json");
    let half = original(|config| config["longsight"] = json!({"beta": 16.0}));
    assert_eq!((half.visual_window_tokens, half.ramp), (6272, Some((1.0, 16.0))));
    let none = original(|_| {});
    assert_eq!((none.ramp, none.visual_window_source.as_str()), (None, "LLaVA-OneVision training"));
}

#[test]
fn defaults_of_transformers_classes_fill_omitted_keys() {
    let folder = Folder::empty();
    let config = json!({"model_type": "llava_onevision", "text_config": {"hidden_size": 64, "num_attention_heads": 2}});
    folder.write("config.json", config.to_string());
    let config = LlavaConfig::read(folder.path()).unwrap();
    let vision = &config.vision;
    assert_eq!((vision.heads, vision.layers, vision.hidden, vision.grid_side()), (16, 26, 1152, 27));
    let text = &config.text;
    assert_eq!((text.kv_heads, text.head_dim, text.layers, text.rope_theta), (2, 32, 32, 1e4));
    assert_eq!((text.eps, text.tied_head, text.max_positions), (1e-6, false, 32768));
}

#[test]
fn eos_ids_as_a_number_a_list_or_null() {
    let ids = |config: Value, generation: Value| {
        let folder = Folder::golden("d32-gqa-tied");
        folder.set("/eos_token_id", config);
        folder.edit("generation_config.json", |g| g["eos_token_id"] = generation);
        let model = folder.load().unwrap();
        (model.config().eos_token_ids.clone(), model.tokenizer().stop_ids().to_vec())
    };
    assert_eq!(ids(json!(5), json!([7, 6])), (vec![5, 6, 7], vec![5, 6, 7, 277]));
    assert_eq!(ids(Value::Null, json!(277)), (vec![277], vec![277]));
    assert_eq!(ids(json!([275, 277]), Value::Null), (vec![275, 277], vec![275, 277]));
}
