//! What becomes of every key of a configuration file: followed, harmless, warned of, or refused unless it says what
//! longsight computes anyway. One table, so that no reader needs checks of its own.
//!
//! Keys that are absent or null have the class defaults of transformers. Keys that no table lists are warned of.

use crate::Result;
use crate::json::Json;
use serde_json::Value;

/// What longsight does with a key.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Read where the model is built.
    Followed,
    /// Says nothing about what the loaded model computes for a prompt: training, provenance, other programs' switches, and
    /// sampling, which longsight's own settings decide.
    Harmless,
    /// Any other value would be another model.
    Only(&'static [Plain]),
    /// Any other value changes answers in transformers, and not here.
    Noted(&'static [Plain]),
}
use Rule::{Followed, Harmless, Noted, Only};

/// A value in a table.
#[derive(Debug, Clone, Copy)]
enum Plain {
    Flag(bool),
    Number(f64),
    Text(&'static str),
    /// An empty list or object.
    Empty,
}
use Plain::{Empty, Flag, Number, Text};

/// Keys of one kind of object, by rule; keys are separated by spaces.
type Table = &'static [(Rule, &'static str)];

/// A kind of object in a file.
pub(crate) struct Kind {
    tables: &'static [Table],
}

pub(crate) const LLAVA_HF: Kind = Kind { tables: &[COMMON, WHOLE, LLAVA_HF_TOP] };
pub(crate) const LLAVA_LMMS: Kind = Kind { tables: &[COMMON, WHOLE, DECODER, LLAVA_LMMS_TOP] };
pub(crate) const SMOLVLM: Kind = Kind { tables: &[COMMON, WHOLE, SMOLVLM_TOP] };
pub(crate) const QWEN2_TEXT: Kind =
    Kind { tables: &[COMMON, DECODER, &[(Only(&[Text("qwen2")]), "model_type")]] };
pub(crate) const LLAMA_TEXT: Kind = Kind { tables: &[COMMON, DECODER, LLAMA_ONLY] };
pub(crate) const ROPE: Kind = Kind { tables: &[ROPE_KEYS] };
pub(crate) const SIGLIP: Kind =
    Kind { tables: &[COMMON, TOWER, &[(Only(&[Text("siglip_vision_model")]), "model_type")]] };
pub(crate) const SMOLVLM_VISION: Kind =
    Kind { tables: &[COMMON, TOWER, &[(Only(&[Text("smolvlm_vision")]), "model_type")]] };
/// A processor's settings of pixels: LLaVA's are resized by bicubic, SmolVLM2's by Lanczos.
pub(crate) const LLAVA_PIXELS: Kind = Kind { tables: &[PIXELS, &[(Only(&[Number(3.0)]), "resample")]] };
pub(crate) const SMOLVLM_PIXELS: Kind = Kind { tables: &[PIXELS, &[(Only(&[Number(1.0)]), "resample")]] };
/// A processor's `size`.
pub(crate) const SQUARE: Kind =
    Kind { tables: &[&[(Followed, "height width"), (Only(&[]), "shortest_edge longest_edge")]] };
pub(crate) const LONGEST_EDGE: Kind =
    Kind { tables: &[&[(Followed, "longest_edge"), (Only(&[]), "shortest_edge height width")]] };
pub(crate) const PROCESSOR: Kind = Kind { tables: &[PROCESSOR_KEYS] };
pub(crate) const GENERATION: Kind = Kind { tables: &[GENERATION_KEYS] };
pub(crate) const TOKENIZER: Kind = Kind { tables: &[TOKENIZER_KEYS] };

/// Any config of transformers, nested ones too. Versions up to 4 wrote sampling settings into each.
const COMMON: Table = &[
    (Followed, "model_type architectures eos_token_id longsight tie_word_embeddings"),
    (
        Harmless,
        "_name_or_path _attn_implementation_autoset _flash_attn_2_enabled attn_implementation \
        attention_dropout auto_map bos_token_id dtype finetuning_task id2label label2id initializer_factor \
        initializer_range neftune_noise_alpha output_attentions output_hidden_states pad_token_id \
        _pad_token_id sep_token_id cls_token_id prefix pretraining_tp problem_type return_dict \
        task_specific_params tf_legacy_loss tokenizer_class torch_dtype torchscript transformers_version \
        transformers.js_config use_bfloat16 use_cache vocab_size decoder_start_token_id \
        gradient_checkpointing chunk_size_feed_forward cross_attention_hidden_size is_decoder \
        tie_encoder_decoder",
    ),
    (Harmless, SAMPLING),
    (Harmless, GREEDY),
    (Only(&[Flag(false)]), "add_cross_attention is_encoder_decoder"),
    (Only(&[Empty]), "pruned_heads quantization_config"),
];

/// The top level of a multimodal config.
const WHOLE: Table = &[
    (Followed, "text_config vision_config"),
    (
        Harmless,
        "image_grid_pinpoints image_token_id image_token_index video_token_id video_token_index ignore_index \
        vision_aspect_ratio",
    ),
];

const LLAVA_HF_TOP: Table = &[
    (Followed, "vision_feature_layer"),
    (Only(&[Text("gelu")]), "projector_hidden_act"),
    (Only(&[Text("full")]), "vision_feature_select_strategy"),
    (Only(&[Flag(true)]), "multimodal_projector_bias use_image_newline_parameter"),
];

const LLAVA_LMMS_TOP: Table = &[
    (Followed, "mm_newline_position mm_patch_merge_type mm_spatial_pool_mode mm_vision_tower"),
    (Only(&[Text("mlp2x_gelu")]), "mm_projector_type"),
    (Only(&[]), "mm_resampler_type"),
    (Only(&[Flag(false)]), "add_faster_video mm_use_im_patch_token mm_use_im_start_end use_pos_skipping"),
    (Only(&[Text("patch")]), "mm_vision_select_feature"),
    (Only(&[Number(-2.0)]), "mm_vision_select_layer"),
    (
        Harmless,
        "add_time_instruction delay_load faster_token_stride force_sample frames_upbound \
        freeze_mm_mlp_adapter image_aspect_ratio image_crop_resolution image_split_resolution max_frames \
        mm_hidden_size mm_projector_lr mm_spatial_pool_out_channels mm_spatial_pool_stride mm_tunable_parts \
        mm_vision_tower_lr pos_skipping_range tokenizer_model_max_length tokenizer_padding_side \
        tune_mm_mlp_adapter use_mm_proj tune_mm_vision_resampler unfreeze_mm_vision_tower \
        vision_tower_pretrained video_fps",
    ),
];

const SMOLVLM_TOP: Table = &[(Followed, "scale_factor"), (Harmless, "image_seq_len")];

const DECODER: Table = &[
    (
        Followed,
        "head_dim hidden_size intermediate_size max_position_embeddings num_attention_heads num_hidden_layers \
        num_key_value_heads rms_norm_eps rope_parameters rope_scaling rope_theta layer_types \
        max_window_layers sliding_window use_sliding_window",
    ),
    (Only(&[Text("silu")]), "hidden_act"),
    (Only(&[Number(1.0)]), "partial_rotary_factor"),
];

/// A Llama decoder, with what SmolVLM2's published configs add.
const LLAMA_ONLY: Table = &[
    (Only(&[Text("llama")]), "model_type"),
    (Only(&[Flag(false)]), "attention_bias mlp_bias qk_layer_norms rope_interleaved use_resampler"),
    (Harmless, "is_llama_config perceiver_config pixel_shuffle_factor"),
];

const ROPE_KEYS: Table = &[
    (Followed, "rope_theta rope_type type"),
    (Only(&[Number(1.0)]), "partial_rotary_factor"),
    (Harmless, "factor original_max_position_embeddings"),
];

const TOWER: Table = &[
    (
        Followed,
        "hidden_size image_size intermediate_size layer_norm_eps num_attention_heads num_hidden_layers \
        patch_size",
    ),
    (Only(&[Text("gelu_pytorch_tanh")]), "hidden_act"),
    (Only(&[Number(3.0)]), "num_channels"),
    (Harmless, "max_image_size projection_dim size use_base_siglip vision_use_head"),
];

const PIXELS: Table = &[
    (Followed, "image_mean image_std max_image_size size video_sampling"),
    (Only(&[Flag(true)]), "do_normalize do_rescale do_resize"),
    (Only(&[Flag(false)]), "do_center_crop"),
    (Only(&[Number(1.0 / 255.0)]), "rescale_factor"),
    // Stills are shown whole, and frames are sampled by longsight's own settings.
    (
        Harmless,
        "do_image_splitting image_grid_pinpoints do_sample_frames fps num_frames auto_map crop_size \
        data_format default_to_square device do_convert_rgb do_pad feature_extractor_type \
        image_processor_type input_data_format pad_size processor_class return_metadata return_row_col_info \
        return_tensors video_metadata video_processor_type _processor_class _valid_kwargs_names \
        aspect_ratio_setting disable_grouping",
    ),
];

const PROCESSOR_KEYS: Table = &[
    (Followed, "chat_template image_processor image_seq_len video_processor"),
    (Only(&[Text("full")]), "vision_feature_select_strategy"),
    (
        Harmless,
        "auto_map feature_extractor image_token num_image_tokens processor_class tokenizer video_token \
        vision_aspect_ratio",
    ),
];

const GENERATION_KEYS: Table = &[
    (Followed, "eos_token_id"),
    (
        Harmless,
        "_from_model_config attn_implementation bos_token_id cache_implementation dtype \
        decoder_start_token_id output_attentions output_hidden_states pad_token_id use_cache \
        trust_remote_code transformers_version max_new_tokens assistant_early_exit",
    ),
    (Harmless, SAMPLING),
    // These change a greedy answer too.
    (Noted(&[Number(1.0), Number(0.0), Flag(false), Empty]), GREEDY),
    (Noted(&[Number(1.0)]), "guidance_scale encoder_repetition_penalty"),
    (Noted(&[Empty]), "sequence_bias stop_strings forced_decoder_ids"),
    (Noted(&[Number(0.0)]), "min_new_tokens"),
];

/// Settings of sampling, of how much is written and of what is handed back: longsight has its own.
const SAMPLING: &str = "diversity_penalty do_sample early_stopping epsilon_cutoff eta_cutoff length_penalty max_length min_p \
        num_beam_groups num_return_sequences output_scores penalty_alpha remove_invalid_values \
        renormalize_logits return_dict_in_generate temperature top_h top_k top_p typical_p";

/// Settings of generation that a greedy answer depends on; where a config holds them, transformers moves them to the
/// generation config or leaves them.
const GREEDY: &str = "bad_words_ids begin_suppress_tokens encoder_no_repeat_ngram_size exponential_decay_length_penalty \
        forced_bos_token_id forced_eos_token_id min_length no_repeat_ngram_size num_beams repetition_penalty \
        suppress_tokens";

/// Keys that end in `_token` name tokens, and are followed.
const TOKENIZER_KEYS: Table = &[
    (
        Followed,
        "added_tokens_decoder additional_special_tokens chat_template extra_special_tokens \
        model_specific_special_tokens",
    ),
    (Only(&[Flag(false)]), "add_bos_token add_eos_token add_prefix_space split_special_tokens"),
    (Noted(&[Flag(false)]), "clean_up_tokenization_spaces"),
    (
        Harmless,
        "auto_map backend errors fix_mistral_regex is_local legacy local_files_only max_length \
        model_input_names model_max_length name_or_path pad_to_multiple_of pad_token_type_id padding_side \
        processor_class return_token_type_ids stride special_tokens_map_file tokenizer_class tokenizer_file \
        truncation truncation_side truncation_strategy use_default_system_prompt use_fast vocab_size",
    ),
];

impl Kind {
    /// Looks at every key of `json`; what is to be said of those that are neither followed nor harmless.
    ///
    /// # Errors
    /// A value that would be another model.
    pub(crate) fn check(&self, json: &Json) -> Result<Vec<String>> {
        let (mut warnings, mut unknown) = (Vec::new(), Vec::new());
        for (key, value) in json.entries() {
            match self.rule(key) {
                Some(Followed | Harmless) => {}
                Some(Only(plain) | Noted(plain)) if plain.iter().any(|plain| plain.is(value)) => {}
                Some(Only(plain)) => return Err(json.error(refusal(key, value, plain))),
                Some(Noted(_)) => {
                    warnings.push(json.remark(format!("{key} {} is not followed", shown(value))))
                }
                None if key.ends_with("_token") => {}
                None => unknown.push(key),
            }
        }
        if !unknown.is_empty() {
            warnings.push(json.remark(format!("keys that longsight does not know: {}", unknown.join(", "))));
        }
        Ok(warnings)
    }

    /// The last table that lists a key decides: it is the most special.
    fn rule(&self, key: &str) -> Option<Rule> {
        let mut rules = self.tables.iter().rev().flat_map(|table| table.iter());
        rules.find(|(_, keys)| keys.split(' ').any(|k| k == key)).map(|(rule, _)| *rule)
    }
}

impl Plain {
    fn is(self, value: &Value) -> bool {
        match self {
            Flag(flag) => value.as_bool() == Some(flag),
            Number(number) => value.as_f64().is_some_and(|v| (v - number).abs() <= 1e-9 * number.abs()),
            Text(text) => value.as_str() == Some(text),
            Empty => {
                value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(|o| o.is_empty())
            }
        }
    }
}

fn refusal(key: &str, value: &Value, plain: &[Plain]) -> String {
    let known: Vec<String> = plain.iter().filter_map(|plain| plain.shown()).collect();
    let only = if known.is_empty() { String::new() } else { format!(", only {}", known.join(" or ")) };
    format!("{key} {} is not supported{only}", shown(value))
}

impl Plain {
    fn shown(self) -> Option<String> {
        match self {
            Flag(flag) => Some(flag.to_string()),
            Number(number) if number == 1.0 / 255.0 => Some("1/255".into()),
            Number(number) => Some(number.to_string()),
            Text(text) => Some(format!("`{text}`")),
            Empty => None,
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}
