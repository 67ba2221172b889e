//! What configuration files say, in every form.

use crate::folder::Folder;
use longsight_method::{Grid, NewlineMode, PoolMode};
use longsight_models::ModelConfig;
use serde_json::{Value, json};
use std::path::Path;

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
        let pixels = ModelConfig::read(folder.path()).unwrap().vision.unwrap().pixels;
        assert_eq!(pixels.source.as_deref(), Some(*place));
        assert_eq!((pixels.mean, pixels.std), ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]));
    }
}

#[test]
fn without_a_preprocessor_file_pixels_are_normalised_as_in_training() {
    let folder = Folder::golden("d32-gqa-tied");
    folder.remove("preprocessor_config.json").write("processor_config.json", "{\"num_image_tokens\": 729}");
    let pixels = ModelConfig::read(folder.path()).unwrap().vision.unwrap().pixels;
    assert_eq!((pixels.mean, pixels.std, pixels.source), ([0.5; 3], [0.5; 3], None));
}

/// A config of the original layout with the published tower, without weights.
fn original(change: impl FnOnce(&mut Value)) -> ModelConfig {
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
    ModelConfig::read(folder.path()).unwrap()
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
    assert_eq!(
        (one_vision.family.name(), one_vision.vision().unwrap().grid()),
        ("LLaVA-OneVision", Grid::square(27))
    );
    assert_eq!(
        (one_vision.vision().unwrap().pool_mode, one_vision.vision().unwrap().newline),
        (PoolMode::Bilinear, NewlineMode::OneToken)
    );
    assert_eq!(one_vision.visual_window_tokens, 6272);
    assert_eq!(video("bilinear", 3584).visual_window_tokens, 13440);
    assert_eq!(video("average", 3584).visual_window_tokens, 11648);
    assert_eq!(video("bilinear", 8192).visual_window_tokens, 6720);
    assert_eq!(video("average", 3584).family.name(), "LLaVA-Video");
}

#[test]
fn newline_modes_of_the_original_layout() {
    let mode = |merge: &'static str, position: Option<&'static str>| {
        let config = original(move |config| {
            config["mm_patch_merge_type"] = merge.into();
            config["mm_newline_position"] = position.into();
        });
        config.vision().unwrap().newline
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
    let config = ModelConfig::read(folder.path()).unwrap();
    let vision = config.vision().unwrap();
    assert_eq!((vision.tower.heads, vision.tower.layers, vision.tower.hidden), (16, 26, 1152));
    let text = &config.decoder;
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

#[test]
fn keys_that_are_not_followed_or_not_known_are_warned_of() {
    let warnings = |file: &str, key: &str, value: Value| {
        let folder = Folder::golden("d32-gqa-tied");
        folder.edit(file, |json| json[key] = value);
        ModelConfig::read(folder.path()).unwrap().warnings
    };
    assert_eq!(
        warnings("config.json", "mystery", json!(1)),
        ["config.json: keys that longsight does not know: mystery"]
    );
    assert_eq!(
        warnings("generation_config.json", "repetition_penalty", json!(1.05)),
        ["generation_config.json: repetition_penalty 1.05 is not followed"]
    );
    for (file, key, value) in [
        ("generation_config.json", "repetition_penalty", json!(1.0)),
        ("generation_config.json", "temperature", json!(0.7)),
        ("config.json", "mystery", Value::Null),
        ("tokenizer_config.json", "image_token", json!("<image>")),
    ] {
        assert_eq!(warnings(file, key, value), [""; 0], "{key}");
    }
    let folder = Folder::golden("d32-gqa-tied");
    folder.edit("config.json", |config| {
        config["text_config"].as_object_mut().unwrap().remove("rope_theta");
    });
    let config = ModelConfig::read(folder.path()).unwrap();
    assert_eq!((config.decoder.rope_theta, config.warnings.len()), (1e4, 1));
    assert!(config.warnings[0].contains("no rope_theta: 10000"), "{:?}", config.warnings);
}

#[test]
fn nothing_in_our_own_checkpoints_is_unknown() {
    let smolvlm = longsight_testkit::SMOLVLM_CASES.map(str::to_owned);
    let cases = longsight_testkit::cases().into_iter().chain(smolvlm);
    let golden = cases.map(|case| longsight_testkit::golden::checkpoint_dir(&case));
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/tiny");
    for folder in golden.chain([tiny]) {
        let config = ModelConfig::read(&folder).unwrap();
        let unsaid =
            config.warnings.iter().find(|warning| !warning.starts_with("rope_scaling in config.json"));
        assert_eq!(unsaid, None, "{}", folder.display());
    }
}
