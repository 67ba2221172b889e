//! Damaged and hostile checkpoints: one clear line each, and never a panic.

use crate::folder::{Folder, Stored, safetensors_file};
use longsight_models::kv_cache::KvShape;
use longsight_models::layers::Rotary;
use longsight_models::processor::{RgbFrame, Role, TemplateKind, Turn};
use longsight_models::weights::Checkpoint;
use longsight_models::{DType, Device, KvCache, Llava, LoadSettings, ModelError, Tensor};
use proptest::prelude::*;
use serde_json::{Value, json};

const CASE: &str = "d32-gqa-tied";
const MODEL: &str = "model.safetensors";

/// Asserts one line that holds every one of `parts`.
#[track_caller]
fn assert_message(error: &ModelError, parts: &[&str]) {
    let message = error.to_string();
    assert!(!message.contains('\n') && !message.is_empty(), "not one line: {message:?}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// Asserts that loading fails with one line that holds every one of `parts`.
#[track_caller]
fn refused(folder: &Folder, parts: &[&str]) {
    match folder.load() {
        Ok(_) => panic!("loaded, though it should say {parts:?}"),
        Err(error) => assert_message(&error, parts),
    }
}

fn golden() -> Folder {
    Folder::golden(CASE)
}

fn tensor<'a>(tensors: &'a mut [Stored], end: &str) -> &'a mut Stored {
    tensors.iter_mut().find(|t| t.0.ends_with(end)).unwrap()
}

// Weights

#[test]
fn missing_folder() {
    let error = Llava::load(std::path::Path::new("no/such/folder"), &LoadSettings::default()).err().unwrap();
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
    folder.set("/text_config/tie_word_embeddings", json!(false));
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
        refused(&folder, &["image_newline", dtype, "longsight reads F32, F16 and BF16"]);
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

// Configuration

/// Asserts that config.json, changed so, is refused with one line that names the file and holds `parts`.
#[track_caller]
fn config_refused(case: &str, pointer: &str, value: Value, parts: &[&str]) {
    let folder = Folder::golden(case);
    folder.set(pointer, value);
    let error = folder.load().err().unwrap_or_else(|| panic!("{pointer} was accepted"));
    assert_message(&error, &["config.json"]);
    assert_message(&error, parts);
}

#[test]
fn config_of_another_family() {
    for family in ["qwen2_vl", "llava_next_video", "internvl_chat", ""] {
        config_refused(CASE, "/model_type", family.into(), &[&format!("`{family}` is another family")]);
    }
    let llama = json!(["LlavaLlamaForCausalLM"]);
    config_refused("d64-lmms-ov", "/architectures", llama, &["`llava`", "LlavaQwenForCausalLM"]);
    config_refused("d64-lmms-ov", "/architectures", json!(7), &["LlavaQwenForCausalLM"]);
    config_refused(CASE, "/text_config/model_type", "llama".into(), &["model_type `llama`", "`qwen2`"]);
}

#[test]
fn config_that_is_not_an_object() {
    for content in [&b"[]"[..], b"3", b"null", b"", b"{", b"\xff\xfe{}", b"\"text\"", b"{\"a\": NaN}"] {
        let folder = golden();
        folder.write("config.json", content);
        refused(&folder, &["config.json"]);
    }
}

#[test]
fn config_missing_or_a_folder() {
    let folder = golden();
    folder.remove("config.json");
    refused(&folder, &["config.json", "No such file"]);
    std::fs::create_dir(folder.file("config.json")).unwrap();
    refused(&folder, &["config.json", "not a regular file"]);
}

#[test]
fn deeply_nested_config() {
    let folder = golden();
    folder.write("config.json", "[".repeat(1_000_000));
    refused(&folder, &["config.json", "not valid JSON"]);
}

#[test]
fn absurd_sizes() {
    let text = [
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "num_key_value_heads",
    ];
    let text = text.map(|key| format!("/text_config/{key}"));
    let vision = ["patch_size", "image_size", "num_attention_heads", "hidden_size", "num_hidden_layers"];
    let vision = vision.map(|key| format!("/vision_config/{key}"));
    for pointer in
        text.iter().chain(&vision).map(String::as_str).chain(["/text_config/max_position_embeddings"])
    {
        for size in [json!(0), json!(1_u64 << 40), json!(u64::MAX)] {
            config_refused(CASE, pointer, size, &["0 or absurd"]);
        }
        let key = pointer.rsplit('/').next().unwrap();
        for size in [json!(-4), json!(2.5), json!("128"), json!([1]), json!(true)] {
            config_refused(CASE, pointer, size, &[key, "a whole number is needed"]);
        }
    }
}

#[test]
fn sizes_that_do_not_fit_together() {
    for (pointer, value) in [
        ("/text_config/num_key_value_heads", 3),
        ("/text_config/head_dim", 33),
        ("/vision_config/num_attention_heads", 5),
        ("/vision_config/patch_size", 20),
    ] {
        config_refused(CASE, pointer, json!(value), &["do not fit together"]);
    }
    config_refused(CASE, "/vision_config/image_size", json!(1 << 20), &["grid"]);
}

#[test]
fn average_pooling_of_a_one_patch_grid() {
    config_refused("video-average", "/vision_config/patch_size", json!(40), &["stride 2"]);
}

#[test]
fn numbers_that_no_model_has() {
    for theta in [json!(0), json!(-1e6), json!(1)] {
        config_refused(CASE, "/text_config/rope_theta", theta, &["rope_theta"]);
    }
    config_refused(CASE, "/text_config/rope_theta", "1e6".into(), &["rope_theta", "a number is needed"]);
    config_refused(CASE, "/text_config/rms_norm_eps", json!(-1e-6), &["eps"]);
    config_refused(CASE, "/text_config/tie_word_embeddings", json!("yes"), &["true or false is needed"]);
    config_refused(CASE, "/text_config", json!([]), &["`text_config` is []", "an object is needed"]);
    config_refused(CASE, "/eos_token_id", json!(-1), &["eos_token_id", "a token id"]);
    config_refused(CASE, "/eos_token_id", json!([1, "2"]), &["eos_token_id", "a token id"]);
}

#[test]
fn rope_scaling_in_an_hf_config() {
    let scaling = [
        ("rope_scaling", json!({"type": "linear", "factor": 4.0})),
        ("rope_scaling", json!({"rope_type": "yarn", "factor": 4.0})),
        ("rope_parameters", json!({"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0})),
    ];
    for (key, value) in scaling {
        config_refused(CASE, &format!("/text_config/{key}"), value, &["RoPE scaling", "--context"]);
    }
    let folder = Folder::golden(CASE);
    folder.set("/text_config/rope_parameters", json!({"rope_type": "default", "rope_theta": 1e6}));
    folder.set("/text_config/rope_scaling", json!({"type": "linear", "factor": 2.0}));
    refused(&folder, &["RoPE scaling `linear`"]);
}

#[test]
fn unsupported_parts_of_an_hf_config() {
    for (pointer, value, part) in [
        ("/text_config/hidden_act", json!("gelu"), "hidden_act `gelu`"),
        ("/text_config/use_sliding_window", json!(true), "sliding-window"),
        ("/vision_config/hidden_act", json!("quick_gelu"), "hidden_act `quick_gelu`"),
        ("/projector_hidden_act", json!("relu"), "projector_hidden_act `relu`"),
        ("/vision_feature_select_strategy", json!("default"), "`default`"),
        ("/vision_feature_layer", json!(-2), "vision_feature_layer -2"),
        ("/multimodal_projector_bias", json!(false), "without bias"),
    ] {
        config_refused(CASE, pointer, value, &[part, "not supported"]);
    }
}

#[test]
fn unsupported_parts_of_an_original_config() {
    for (pointer, value) in [
        ("/mm_projector_type", "linear"),
        ("/mm_newline_position", "spiral"),
        ("/mm_spatial_pool_mode", "median"),
        ("/mm_resampler_type", "spatial_pool"),
        ("/hidden_act", "relu"),
    ] {
        config_refused("d64-lmms-ov", pointer, value.into(), &[&format!("`{value}`"), "not supported"]);
    }
    config_refused("d64-lmms-ov", "/add_faster_video", json!(true), &["add_faster_video", "not supported"]);
    let folder = Folder::golden("d64-lmms-ov");
    folder.edit("config.json", |config| {
        config.as_object_mut().unwrap().remove("vision_config");
        config["mm_vision_tower"] = "openai/clip-vit-large-patch14-336".into();
    });
    refused(&folder, &["clip-vit-large", "not supported"]);
}

#[test]
fn config_text_made_to_break_the_terminal() {
    let folder = golden();
    folder.set("/model_type", format!("qwen\n\u{1b}[31m{}", "x".repeat(100_000)).into());
    let message = folder.load().err().unwrap().to_string();
    assert!(!message.contains(['\n', '\u{1b}']) && message.len() < 1000, "{message:?}");
}

#[test]
fn longsight_object_with_bad_numbers() {
    for (value, part) in [
        (json!({"visual_window_tokens": 0}), "visual_window_tokens"),
        (json!({"visual_window_tokens": -5}), "visual_window_tokens"),
        (json!({"visual_window_tokens": 1_u64 << 40}), "visual_window_tokens"),
        (json!({"alpha": 4, "beta": 2}), "alpha"),
        (json!({"alpha": 0}), "alpha"),
        (json!({"alpha": "1"}), "alpha"),
        (json!([1]), "longsight"),
    ] {
        config_refused(CASE, "/longsight", value, &[part]);
    }
}

#[test]
fn preprocessor_of_another_model() {
    let file = "preprocessor_config.json";
    for (key, value, part) in [
        ("image_std", json!([0.5, 0.0, 0.5]), "image_std"),
        ("image_std", json!([0.5, 0.5]), "three numbers"),
        ("image_mean", json!([0.5, "a", 0.5, 0.5]), "three numbers"),
        ("size", json!({"height": 336, "width": 336}), "19 x 19"),
    ] {
        let folder = golden();
        folder.edit(file, |config| config[key] = value);
        refused(&folder, &[file, part]);
    }
    let folder = golden();
    folder.write(file, "{");
    refused(&folder, &[file, "not valid JSON"]);
}

#[test]
fn broken_generation_config() {
    let folder = golden();
    folder.write("generation_config.json", "eos");
    refused(&folder, &["generation_config.json", "not valid JSON"]);
}

// Tokenizer and chat template

#[test]
fn tokenizer_missing() {
    let folder = golden();
    folder.remove("tokenizer.json");
    refused(&folder, &["tokenizer.json", "No such file"]);
}

#[test]
fn tokenizer_broken() {
    for content in
        [&b""[..], b"{}", b"[1]", b"\xff\xfe\x00", b"{\"version\": \"1.0\", \"model\": {\"type\": \"BPE\"}}"]
    {
        let folder = golden();
        folder.write("tokenizer.json", content);
        refused(&folder, &["tokenizer.json", "not a tokenizer"]);
    }
}

#[test]
fn split_tokenizer_files_broken() {
    let folder = |vocab: &str, merges: &str| {
        let folder = golden();
        folder.remove("tokenizer.json").write("vocab.json", vocab).write("merges.txt", merges);
        folder
    };
    refused(&folder("[]", ""), &["vocab.json", "not a JSON object"]);
    refused(&folder("{\"a\": -1}", ""), &["vocab.json", "not a tokenizer"]);
    refused(&folder("{\"a\": 0}", "#version: 0.2\na\n"), &["merges.txt", "line 2"]);
    refused(&folder("{\"a\": 0}", "a b c\n"), &["merges.txt", "line 1"]);
    refused(&folder("{\"a\": 0}", "x y\n"), &["vocab.json", "not a tokenizer"]);
    let without_merges = golden();
    without_merges.remove("tokenizer.json").write("vocab.json", "{}");
    refused(&without_merges, &["merges.txt", "No such file"]);
    let bad_added = folder("{\"a\": 0}", "");
    bad_added
        .edit("tokenizer_config.json", |c| c["added_tokens_decoder"] = json!({"first": {"content": "x"}}));
    refused(&bad_added, &["tokenizer_config.json", "`first`"]);
}

#[test]
fn ids_outside_the_vocabulary() {
    let model = golden().load().unwrap();
    assert_message(&model.text().embed(&[1, 296]).err().unwrap(), &["token 296", "vocabulary of 296"]);
    assert_message(&model.text().embed(&[u32::MAX]).err().unwrap(), &["token 4294967295"]);
    model.text().embed(&[295]).unwrap();
}

fn render(template: &str) -> Result<longsight_models::processor::PromptText, ModelError> {
    let folder = Folder::empty();
    folder.write("chat_template.jinja", template);
    let turns = [Turn { role: Role::User, content: "What is <video>?".into() }];
    longsight_models::processor::ChatTemplate::read(folder.path())?.render(TemplateKind::Checkpoint, &turns)
}

#[test]
fn chat_template_without_end() {
    let range = "{% for i in range(100000) %}";
    let endless = format!("{range}{range}x{{% endfor %}}{{% endfor %}}");
    assert_message(&render(&endless).unwrap_err(), &["chat template", "--template qwen_1_5"]);
    let recursion = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}";
    assert_message(&render(recursion).unwrap_err(), &["chat template"]);
}

#[test]
fn chat_template_that_fills_memory() {
    let text = "{% for i in range(10000) %}{{ 'x' * 100000 }}{% endfor %}";
    assert_message(&render(text).unwrap_err(), &["chat template"]);
    assert_message(&render("{{ 'x' * 1000000000000 }}").unwrap_err(), &["chat template"]);
}

#[test]
fn chat_template_with_a_syntax_error() {
    for text in
        ["{% if %}", "{{ messages[", "{% for a in b %}", "{{ undefined_function() }}", "{% nothing %}"]
    {
        assert_message(
            &render(text).unwrap_err(),
            &["chat template of the checkpoint", "--template qwen_1_5"],
        );
    }
}

#[test]
fn chat_template_without_a_place_for_the_video() {
    assert_message(&render("{{ messages[0].role }}").unwrap_err(), &["no place for a video"]);
}

#[test]
fn chat_template_that_is_not_text() {
    let folder = golden();
    folder.write("chat_template.jinja", b"\xff\xfe");
    refused(&folder, &["chat_template.jinja", "not UTF-8"]);
    let folder = golden();
    folder.write("chat_template.json", "{");
    refused(&folder, &["chat_template.json", "not valid JSON"]);
}

#[test]
fn the_default_of_several_named_chat_templates() {
    let folder = golden();
    let named = json!([{"name": "tools", "template": "no"}, {"name": "default", "template": "<video>yes"}]);
    folder.remove("chat_template.json");
    folder.edit("tokenizer_config.json", |config| config["chat_template"] = named);
    let turns = [Turn { role: Role::User, content: String::new() }];
    let text = folder.load().unwrap().template().render(TemplateKind::Checkpoint, &turns).unwrap();
    assert_eq!((text.before.as_str(), text.after.as_str()), ("", "yes"));
}

// Arguments

fn rotary(model: &Llava, tokens: usize) -> Rotary {
    let shape = model.config().rope_shape(None, None);
    let plan = longsight_method::RopePlan::new(&Default::default(), &shape, 1).unwrap();
    Rotary::new(&plan, 0, tokens, &Device::Cpu).unwrap()
}

#[test]
fn cache_overflow() {
    let model = golden().load().unwrap();
    let mut cache = KvCache::new(model.text().kv_shape(), 3, DType::F32, &Device::Cpu).unwrap();
    cache.ensure_room(3).unwrap();
    for more in [4, usize::MAX] {
        assert_message(&cache.ensure_room(more).unwrap_err(), &["holds 3 tokens"]);
    }
    let x = model.text().embed(&[1, 2]).unwrap();
    model.text().forward(&x, &rotary(&model, 2), &mut cache).unwrap();
    assert_message(&cache.ensure_room(usize::MAX).unwrap_err(), &["holds 3 tokens"]);
    let error = model.text().forward(&x, &rotary(&model, 2), &mut cache).unwrap_err();
    assert_message(&error, &["holds 3 tokens and 4 are needed", "start a new conversation"]);
    assert_eq!(cache.tokens(), 2, "a refused step changes nothing");
}

#[test]
fn cache_beyond_any_memory() {
    let shape = KvShape { layers: 28, kv_heads: 4, head_dim: 128 };
    for tokens in [usize::MAX, usize::MAX / 2, 1 << 45] {
        let error = KvCache::new(shape, tokens, DType::BF16, &Device::Cpu).err().unwrap();
        assert_message(&error, &["no memory for a KV cache", &tokens.to_string()]);
    }
}

#[test]
fn no_tokens_and_positions_that_do_not_fit() {
    let model = golden().load().unwrap();
    let mut cache = KvCache::new(model.text().kv_shape(), 8, DType::F32, &Device::Cpu).unwrap();
    let none = model.text().embed(&[]).unwrap();
    let error = model.text().forward(&none, &rotary(&model, 1), &mut cache).unwrap_err();
    assert_message(&error, &["at least one token"]);
    assert_message(&model.text().last_logits(&none).unwrap_err(), &["at least one token"]);
    let two = model.text().embed(&[1, 2]).unwrap();
    assert!(model.text().forward(&two, &rotary(&model, 3), &mut cache).is_err());
}

#[test]
fn frames_that_are_not_in_the_plan() {
    let model = golden().load().unwrap();
    let plan = model.config().pool_plan(2, Default::default()).unwrap();
    let pixels = Tensor::zeros((1, 3, 19, 19), DType::F32, &Device::Cpu).unwrap();
    assert_message(&model.visual_tokens(&pixels, &plan, 2).unwrap_err(), &["frame 2", "2 frames"]);
    let none = Tensor::zeros((0, 3, 19, 19), DType::F32, &Device::Cpu).unwrap();
    assert!(model.visual_tokens(&none, &plan, 0).is_err());
    let small = Tensor::zeros((1, 3, 8, 8), DType::F32, &Device::Cpu).unwrap();
    assert_message(&model.visual_tokens(&small, &plan, 0).unwrap_err(), &["tensor operation failed"]);
}

#[test]
fn frame_without_pixels() {
    let model = golden().load().unwrap();
    for (width, height, bytes, part) in
        [(0, 0, 0, "0x0"), (0, 5, 0, "0x5"), (4, 4, 47, "4x4"), (1 << 40, 1, 3, "from 1 to 65536")]
    {
        let rgb = vec![0; bytes];
        let error = model.preprocessor().resize(RgbFrame { width, height, rgb: &rgb }).unwrap_err();
        assert_message(&error, &["frame cannot be resized", part]);
    }
}

#[test]
fn resized_frames_of_the_wrong_size() {
    let model = golden().load().unwrap();
    let frame = vec![0u8; 19 * 19 * 3 - 1];
    assert!(model.preprocessor().normalise([&frame[..]].into_iter(), &Device::Cpu).is_err());
}

// Random damage

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
    let names = longsight_models::weights::NameMap::detect(&checkpoint);
    let weights = longsight_models::weights::Weights::new(&checkpoint, &names, DType::F16, &Device::Cpu);
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
