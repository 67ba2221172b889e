//! The JSON files beside the weights.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::layouts::Layout;
use crate::safetensors_writer::Dtype;
use crate::shape::{Family, ModelShape};
use crate::tokenizer::chat_template_json;

/// Writes config, tokenizer, generation config and, for HF layouts, preprocessor and chat template.
pub(crate) fn write_all(shape: &ModelShape, layout: Layout, dtype: Dtype, folder: &Path) -> io::Result<()> {
    let original = layout == Layout::LmmsLab;
    let config = if original { lmms_config(shape, dtype) } else { hf_config(shape, layout, dtype) };
    write_json(&folder.join("config.json"), &config)?;
    std::fs::write(folder.join("tokenizer.json"), shape.tokenizer.json(!original))?;
    write_json(&folder.join("tokenizer_config.json"), &tokenizer_config(shape, original))?;
    let (pad, eos) = (shape.tokenizer.end_of_text(), shape.tokenizer.im_end());
    let generation =
        json!({"bos_token_id": pad, "do_sample": false, "eos_token_id": [eos, pad], "pad_token_id": pad});
    write_json(&folder.join("generation_config.json"), &generation)?;
    if !original {
        std::fs::write(folder.join("chat_template.json"), chat_template_json())?;
        write_json(&folder.join("preprocessor_config.json"), &preprocessor_config(shape))?;
    }
    Ok(())
}

pub(crate) fn write_json(path: &Path, value: &Value) -> io::Result<()> {
    std::fs::write(path, format!("{value:#}\n"))
}

fn text_config(shape: &ModelShape, rows: usize) -> Value {
    let text = &shape.text;
    let mut config = json!({
        "hidden_size": text.hidden, "intermediate_size": text.mlp, "num_hidden_layers": text.layers,
        "num_attention_heads": text.heads, "num_key_value_heads": text.kv_heads, "vocab_size": rows,
        "max_position_embeddings": text.max_positions, "rope_theta": text.theta, "rms_norm_eps": 1e-6,
        "hidden_act": "silu", "tie_word_embeddings": text.tied, "use_sliding_window": false,
        "sliding_window": text.max_positions, "rope_scaling": null,
    });
    if text.head_dim * text.heads != text.hidden {
        config["head_dim"] = text.head_dim.into();
    }
    config
}

fn vision_config(shape: &ModelShape) -> Value {
    let tower = &shape.tower;
    json!({
        "model_type": "siglip_vision_model", "hidden_size": tower.hidden, "intermediate_size": tower.mlp,
        "num_hidden_layers": tower.layers, "num_attention_heads": tower.heads, "image_size": tower.image_size,
        "patch_size": tower.patch, "vision_use_head": false,
    })
}

fn hf_config(shape: &ModelShape, layout: Layout, dtype: Dtype) -> Value {
    let mut text = text_config(shape, shape.rows(layout));
    text["model_type"] = "qwen2".into();
    json!({
        "architectures": ["LlavaOnevisionForConditionalGeneration"], "model_type": "llava_onevision",
        "text_config": text, "vision_config": vision_config(shape), "torch_dtype": dtype.config_name(),
        "image_token_index": shape.tokenizer.image(), "video_token_index": shape.tokenizer.video(),
        "projector_hidden_act": "gelu", "vision_feature_layer": -1, "vision_feature_select_strategy": "full",
        "vision_aspect_ratio": "anyres_max_9", "tie_word_embeddings": shape.text.tied,
        "transformers_version": "4.45.2",
    })
}

fn lmms_config(shape: &ModelShape, dtype: Dtype) -> Value {
    let mut config = text_config(shape, shape.text.rows);
    let video = shape.family == Family::Video;
    let extra = json!({
        "architectures": ["LlavaQwenForCausalLM"], "model_type": "llava", "torch_dtype": dtype.config_name(),
        "use_mm_proj": true, "mm_hidden_size": shape.tower.hidden, "mm_projector_type": "mlp2x_gelu",
        "mm_patch_merge_type": "spatial_unpad", "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch", "mm_vision_tower": "google/siglip-so400m-patch14-384",
        "mm_spatial_pool_mode": if video { "average" } else { "bilinear" }, "mm_spatial_pool_stride": 2,
        "mm_newline_position": if video { "grid" } else { "one_token" }, "add_time_instruction": video,
        "image_aspect_ratio": "anyres_max_9",
    });
    merge(&mut config, extra);
    // The original files have no such block, because their tower never differs from so400m.
    if shape.tower != crate::Shape::Ov05b.model().tower {
        config["vision_config"] = vision_config(shape);
    }
    config
}

pub(crate) fn merge(config: &mut Value, extra: Value) {
    let Value::Object(extra) = extra else { return };
    for (key, value) in extra {
        config[key] = value;
    }
}

fn tokenizer_config(shape: &ModelShape, original: bool) -> Value {
    let mut config = json!({
        "add_prefix_space": false, "bos_token": null, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
        "unk_token": null, "model_max_length": shape.text.max_positions, "tokenizer_class": "Qwen2Tokenizer",
    });
    if !original {
        let template: Value = serde_json::from_str(chat_template_json()).expect("stored as JSON");
        config["chat_template"] = template["chat_template"].clone();
    }
    config
}

fn preprocessor_config(shape: &ModelShape) -> Value {
    let side = shape.tower.image_size;
    json!({
        "do_convert_rgb": true, "do_normalize": true, "do_rescale": true, "do_resize": true,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 3,
        "image_processor_type": "LlavaOnevisionImageProcessor", "processor_class": "LlavaOnevisionProcessor",
        "rescale_factor": 1.0 / 255.0, "size": {"height": side, "width": side},
    })
}
