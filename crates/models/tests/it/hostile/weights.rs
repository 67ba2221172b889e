//! Damaged weights.

use super::assert_message;
use super::{MODEL, golden, refused, tensor};
use crate::folder::Folder;
use longsight_models::{Lmm, LoadSettings};
use serde_json::json;

#[test]
fn missing_folder() {
    let error = Lmm::load(std::path::Path::new("no/such/folder"), &LoadSettings::default()).err().unwrap();
    assert_message(&error, &["no/such/folder", "no such checkpoint folder"]);
}

#[test]
fn missing_tensor() {
    for name in
        ["layers.1.mlp.up_proj.weight", "encoder.layers.0.mlp.fc1.bias", "image_newline", "norm.weight"]
    {
        let folder = golden();
        folder.edit_tensors(|tensors| tensors.retain(|t| !t.0.ends_with(name)));
        refused(&folder, &[name, "is missing", folder.path().to_str().unwrap()]);
    }
}

#[test]
fn missing_embedding_table() {
    let folder = golden();
    folder.edit_tensors(|tensors| tensors.retain(|t| !t.0.ends_with("embed_tokens.weight")));
    refused(&folder, &["embed_tokens.weight", "is missing", "[vocabulary, 128]"]);
}

#[test]
fn missing_head_of_an_untied_model() {
    let folder = golden();
    folder.set("/text_config/tie_word_embeddings", json!(false)).set("/tie_word_embeddings", json!(false));
    refused(&folder, &["lm_head.weight", "is missing"]);
}

#[test]
fn unused_tensor() {
    let folder = golden();
    folder.set("/text_config/num_hidden_layers", json!(1));
    refused(&folder, &["12 tensor(s)", "language_model.model.layers.1.", "..."]);
}

#[test]
fn unused_tensor_with_a_name_made_to_break_the_terminal() {
    let folder = golden();
    folder.edit_tensors(|t| t.push(("evil\n\u{1b}[2Jname".repeat(900), "F32".into(), vec![1], vec![0; 4])));
    let message = folder.load().err().unwrap().to_string();
    assert!(!message.contains(['\n', '\u{1b}']) && message.len() < 1000, "{message:?}");
    assert!(message.contains("1 tensor(s)"));
}

#[test]
fn wrong_shape() {
    let folder = golden();
    folder.edit_tensors(|tensors| tensor(tensors, "layers.0.mlp.down_proj.weight").2.reverse());
    refused(&folder, &["layers.0.mlp.down_proj.weight", "[144, 128]", "[128, 144]"]);
}

#[test]
fn config_of_another_size() {
    let folder = golden();
    folder.set("/text_config/intermediate_size", json!(160));
    refused(&folder, &["mlp.gate_proj.weight", "[144, 128]", "[160, 128]"]);
}

#[test]
fn head_with_other_rows_than_the_embeddings() {
    let folder = golden();
    folder.set("/text_config/tie_word_embeddings", json!(false));
    folder.edit_tensors(|tensors| {
        tensors.push(("language_model.lm_head.weight".into(), "F32".into(), vec![1, 128], vec![0; 512]));
    });
    refused(&folder, &["lm_head.weight", "[1, 128]", "[296, 128]"]);
}

#[test]
fn no_vocabulary_rows() {
    let folder = golden();
    folder.edit_tensors(|tensors| {
        let table = tensor(tensors, "embed_tokens.weight");
        (table.2, table.3) = (vec![0, 128], Vec::new());
    });
    refused(&folder, &["embed_tokens.weight", "[0, 128]"]);
}

#[test]
fn truncated_in_the_header() {
    for bytes in [0, 5, 8, 100] {
        let folder = golden();
        let whole = folder.bytes(MODEL);
        folder.write(MODEL, &whole[..bytes]);
        refused(&folder, &[MODEL, "safetensors", "download it again"]);
    }
}

#[test]
fn truncated_in_the_data() {
    let folder = golden();
    let whole = folder.bytes(MODEL);
    folder.write(MODEL, &whole[..whole.len() - 1]);
    refused(&folder, &[MODEL, "truncated", "download it again"]);
}

#[test]
fn bytes_behind_the_last_tensor() {
    let folder = golden();
    folder.write(MODEL, [folder.bytes(MODEL), vec![0; 7]].concat());
    refused(&folder, &[MODEL, "longer than its header says"]);
}

#[test]
fn absurd_header_length() {
    for length in [u64::MAX, u64::MAX - 7, 1 << 40, 100_000_001] {
        let folder = golden();
        let whole = folder.bytes(MODEL);
        folder.write(MODEL, [&length.to_le_bytes()[..], &whole[8..]].concat());
        refused(&folder, &[MODEL, "header"]);
    }
}

#[test]
fn header_that_is_not_json() {
    let folder = golden();
    let mut bytes = folder.bytes(MODEL);
    bytes[8..40].fill(b'x');
    folder.write(MODEL, bytes);
    refused(&folder, &[MODEL, "damaged safetensors header"]);
}

#[test]
fn another_file_renamed_to_safetensors() {
    let folder = golden();
    folder.write(MODEL, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1184272\n");
    refused(&folder, &[MODEL, "not a safetensors file"]);
}

#[test]
fn a_folder_in_place_of_the_weights() {
    let folder = golden();
    folder.remove(MODEL);
    std::fs::create_dir(folder.file(MODEL)).unwrap();
    refused(&folder, &[MODEL, "not a regular file"]);
}

#[test]
fn a_tensor_twice_in_one_header() {
    let folder = golden();
    let bytes = folder.bytes(MODEL);
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&header).unwrap();
    let again = format!(
        "{{\"image_newline\":{},{}",
        value["image_newline"],
        header.trim_start().strip_prefix('{').unwrap()
    );
    let parts = [&(again.len() as u64).to_le_bytes()[..], again.as_bytes(), &bytes[8 + length..]];
    folder.write(MODEL, parts.concat());
    refused(&folder, &[MODEL, "damaged safetensors header", "`image_newline` is there twice"]);
}

#[test]
fn overlapping_tensors() {
    let folder = golden();
    folder.edit_header(|header| {
        let first = header["image_newline"]["data_offsets"].clone();
        header["language_model.model.norm.weight"]["data_offsets"] = first; // of the same size
    });
    refused(&folder, &[MODEL, "damaged safetensors header", "offset"]);
}

#[test]
fn offsets_that_do_not_fit_the_shape() {
    for shape in [json!([129]), json!([1_u64 << 62, 1_u64 << 62]), json!([])] {
        let folder = golden();
        folder.edit_header(|header| header["image_newline"]["shape"] = shape);
        refused(&folder, &[MODEL, "damaged safetensors header"]);
    }
}

#[test]
fn offsets_that_run_backwards_or_beyond_any_file() {
    for offsets in [json!([512, 0]), json!([u64::MAX - 4, u64::MAX]), json!([0, u64::MAX])] {
        let folder = golden();
        folder.edit_header(|header| header["image_newline"]["data_offsets"] = offsets);
        refused(&folder, &[MODEL]);
    }
}

#[test]
fn negative_or_missing_header_fields() {
    for change in
        [json!({"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}), json!({}), json!(3), json!(null)]
    {
        let folder = golden();
        folder.edit_header(|header| header["image_newline"] = change);
        refused(&folder, &[MODEL, "damaged safetensors header"]);
    }
}

#[test]
fn integer_tensor() {
    for (dtype, bytes) in [("I64", 8), ("I32", 4), ("U8", 1)] {
        let folder = golden();
        folder.edit_tensors(|tensors| {
            let newline = tensor(tensors, "image_newline");
            (newline.1, newline.3) = (dtype.into(), vec![0; 128 * bytes]);
        });
        refused(&folder, &["image_newline", dtype, "longsight reads F64, F32, F16 and BF16"]);
    }
}

#[test]
fn missing_shard() {
    let folder = Folder::golden("d64-mha-sharded");
    folder.remove("model-00003-of-00008.safetensors");
    refused(&folder, &["model-00003-of-00008.safetensors"]);
}

#[test]
fn a_tensor_in_two_shards() {
    let folder = Folder::golden("d64-mha-sharded");
    let copy = folder.bytes("model-00002-of-00008.safetensors");
    folder.write("model-00003-of-00008.safetensors", copy);
    refused(&folder, &["model-00003-of-00008.safetensors", "is in two files"]);
}

#[test]
fn index_that_names_a_path_outside_its_folder() {
    for path in ["../model.safetensors", "/etc/passwd", "/", "..", ".", "", "a/b.safetensors", "a/"] {
        let folder = Folder::golden("d64-mha-sharded");
        folder
            .edit("model.safetensors.index.json", |index| index["weight_map"]["image_newline"] = path.into());
        refused(&folder, &["model.safetensors.index.json", "outside its folder"]);
    }
}

#[test]
fn index_that_is_not_json() {
    for content in [&b"not json"[..], b"[]", b"{\"weight_map\": 3}", b"\xff\xfe"] {
        let folder = Folder::golden("d64-mha-sharded");
        folder.write("model.safetensors.index.json", content);
        refused(&folder, &["model.safetensors.index.json", "not a safetensors index"]);
    }
}

#[test]
fn shards_without_an_index_and_no_weights_at_all() {
    let folder = Folder::golden("d64-mha-sharded");
    folder.remove("model.safetensors.index.json");
    refused(&folder, &["8 safetensors files but no model.safetensors.index.json"]);
    let folder = golden();
    folder.remove(MODEL);
    refused(&folder, &["no safetensors files"]);
}
