//! Configurations that cannot be run.

use super::{CASE, assert_message, golden, refused};
use crate::folder::Folder;
use serde_json::{Value, json};

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
        config_refused(
            CASE,
            &format!("/text_config/{key}"),
            value,
            &["RoPE scaling", "longsight sets its own"],
        );
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
