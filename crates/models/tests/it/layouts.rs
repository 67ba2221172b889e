//! Every spelling of a checkpoint is the same model.

use crate::folder::{Folder, Stored, safetensors_file};
use crate::parity::{generate, load};
use longsight_models::config::ModelConfig;
use longsight_models::{DType, Lmm};
use longsight_testkit::Golden;
use longsight_testkit::layouts::{Layout, convert_checkpoint};
use serde_json::{Value, json};

/// Logits after the golden's prompt, and the greedy tokens that follow.
fn answer(golden: &Golden, model: &Lmm) -> (Vec<f32>, Vec<u32>) {
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

/// Adds an output head: the embeddings' values, negated where `negated`.
fn add_head(folder: &Folder, name: &str, negated: bool) {
    folder.edit_tensors(|tensors| {
        let table = tensors.iter().find(|t| t.0.ends_with("embed_tokens.weight")).unwrap();
        let (dtype, shape, mut head) = (table.1.clone(), table.2.clone(), table.3.clone());
        assert_eq!(dtype, "F32");
        if negated {
            head.iter_mut().skip(3).step_by(4).for_each(|byte| *byte ^= 0x80); // the sign
        }
        tensors.push((name.into(), dtype, shape, head));
    });
}

/// As in transformers 5.24, which ties no head that differs from the embeddings, whatever the flags say.
#[test]
fn a_head_in_the_file_is_used_whatever_the_tie_flags_say() {
    let golden = Golden::load("d32-gqa-tied");
    let (tied, _) = answer(&golden, &load(&golden, DType::F32));
    for name in ["language_model.lm_head.weight", "lm_head.weight"] {
        for flag in [true, false] {
            let folder = Folder::golden("d32-gqa-tied");
            folder
                .set("/tie_word_embeddings", json!(flag))
                .set("/text_config/tie_word_embeddings", json!(flag));
            add_head(&folder, name, false);
            assert_same(&golden, &folder, name);
            let folder = Folder::golden("d32-gqa-tied");
            folder
                .set("/tie_word_embeddings", json!(flag))
                .set("/text_config/tie_word_embeddings", json!(flag));
            add_head(&folder, name, true);
            let (own, _) = answer(&golden, &folder.load_as(DType::F32));
            assert!(own.iter().zip(&tied).all(|(own, tied)| *own == -tied), "{name} {flag}");
        }
    }
}

#[test]
fn without_a_head_in_the_file_either_flag_ties_it() {
    for case in ["d32-gqa-tied", "smolvlm-256m"] {
        let folder = |top: Value, text: Value| {
            let folder = Folder::golden(case);
            folder.set("/tie_word_embeddings", top).set("/text_config/tie_word_embeddings", text);
            folder
        };
        let (yes, no) = (json!(true), json!(false));
        for (top, text) in [(&yes, &no), (&no, &yes), (&yes, &Value::Null), (&Value::Null, &yes)] {
            assert!(folder(top.clone(), text.clone()).load().unwrap().config().decoder.tied_head, "{case}");
        }
        for (top, text) in [(&no, &no), (&Value::Null, &Value::Null)] {
            let error = folder(top.clone(), text.clone()).load().err().unwrap().to_string();
            assert!(error.contains("lm_head.weight` is missing"), "{error}");
        }
    }
}

#[test]
fn weights_of_64_bits_are_the_same_model() {
    let golden = Golden::load("d32-gqa-tied");
    let folder = Folder::golden("d32-gqa-tied");
    folder.edit_tensors(|tensors| {
        for (_, dtype, _, data) in tensors.iter_mut().filter(|tensor| tensor.1 == "F32") {
            let wide = data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            (*dtype, *data) = ("F64".into(), wide.flat_map(|v| f64::from(v).to_le_bytes()).collect());
        }
    });
    assert_same(&golden, &folder, "F64");
    assert_eq!(folder.describe(None).info.dtype, DType::F32);
}

#[test]
fn the_last_layer_by_any_name_is_the_same_model() {
    let golden = Golden::load("d32-gqa-tied");
    for layer in [json!(-1), json!([-1]), json!(2), json!([2])] {
        let folder = Folder::golden("d32-gqa-tied");
        folder.set("/vision_feature_layer", layer.clone());
        assert_same(&golden, &folder, &layer.to_string());
    }
}

#[test]
fn an_explicit_head_dim_overrides_hidden_over_heads() {
    let golden = Golden::load("d128-explicit-bf16");
    let text = ModelConfig::read(&golden.checkpoint()).unwrap().decoder;
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
    let rows = folder.describe(None).info.vocabulary;
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
    assert_eq!(ModelConfig::read(folder.path()).unwrap().decoder.rope_theta, 5e5);
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
