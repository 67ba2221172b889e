"""Seeded tiny SmolVLM2 checkpoints: built and saved by transformers, then re-spelt as published files are."""

import json
from pathlib import Path

import torch
from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

import checkpoint
import smolvlm_tokenizer
from tiny_tokenizer import write_json


def make_config(case, tokenizer):
    text = dict(
        model_type="llama", vocab_size=tokenizer.get_vocab_size() + checkpoint.ROW_PADDING, hidden_size=case.hidden,
        intermediate_size=case.mlp, num_hidden_layers=case.layers, num_attention_heads=case.heads,
        num_key_value_heads=case.kv_heads, max_position_embeddings=case.language_window,
        tie_word_embeddings=case.tied, rms_norm_eps=1e-5, pad_token_id=2,
        rope_parameters={"rope_type": "default", "rope_theta": case.theta},
    )
    assert case.explicit_head_dim or case.hidden == case.heads * case.head_dim, case.name
    if case.explicit_head_dim:
        text["head_dim"] = case.head_dim
    vision = dict(
        model_type="smolvlm_vision", hidden_size=case.tower_hidden, intermediate_size=case.tower_mlp,
        num_hidden_layers=case.tower_layers, num_attention_heads=case.tower_heads, image_size=case.image_size,
        patch_size=case.patch,
    )
    return SmolVLMConfig(text_config=text, vision_config=vision, scale_factor=case.scale, tie_word_embeddings=case.tied,
                         image_token_id=tokenizer.token_to_id(smolvlm_tokenizer.IMAGE))


def write(case, seed, folder: Path):
    """Writes the checkpoint and returns it as transformers reads it back, in f32."""
    tokenizer = smolvlm_tokenizer.build()
    torch.manual_seed(seed)
    model = SmolVLMForConditionalGeneration(make_config(case, tokenizer))
    # Small embeddings as for a tied head in every case, or another eps of the norms would pass the tests.
    checkpoint.seed_weights(model, seed, tied=True)
    model = model.to(getattr(torch, case.dtype))
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    written = checkpoint.load(folder, SmolVLMForConditionalGeneration)
    respell(case, folder / "config.json")
    model = checkpoint.load(folder, SmolVLMForConditionalGeneration)
    for (name, left), (_, right) in zip(written.named_parameters(), model.named_parameters(), strict=True):
        assert torch.equal(left, right), name
    smolvlm_tokenizer.save(tokenizer, folder)
    write_processor(case, folder)
    return model, tokenizer


def respell(case, path):
    """Adds our own window; `hf-published` is the spelling of transformers 4, with what the published files carry."""
    config = json.loads(path.read_text())
    config["longsight"] = {"visual_window_tokens": case.visual_window, "alpha": case.alpha, "beta": case.beta}
    if case.layout == "hf-published":
        text, vision = config["text_config"], config["vision_config"]
        config["torch_dtype"] = config.pop("dtype")
        config.pop("_pad_token_id")
        config.update(pad_token_id=128002, vocab_size=text["vocab_size"], transformers_version="4.47.1")
        text["rope_theta"] = text.pop("rope_parameters")["rope_theta"]
        for key in ("attention_bias", "attention_dropout", "bos_token_id", "eos_token_id", "hidden_act",
                    "initializer_range", "mlp_bias", "pretraining_tp", "tie_word_embeddings", "use_cache"):
            text.pop(key)
        text.update(architectures=["VLlama3ForCausalLM"], is_llama_config=True, pixel_shuffle_factor=case.scale,
                    qk_layer_norms=False, rope_interleaved=False, use_resampler=False, torch_dtype=case.dtype)
        for key in ("attention_dropout", "hidden_act", "initializer_range", "layer_norm_eps", "num_channels"):
            vision.pop(key)
        vision.update(max_image_size={"longest_edge": case.image_size}, size={"longest_edge": case.still_edge},
                      tie_word_embeddings=False, use_base_siglip=False)
    write_json(path, config)


def write_processor(case, folder):
    settings = {
        "do_convert_rgb": True, "do_image_splitting": True, "do_normalize": True, "do_pad": True, "do_rescale": True,
        "do_resize": True, "image_mean": list(case.mean), "image_std": list(case.std),
        "image_processor_type": "SmolVLMImageProcessor", "max_image_size": {"longest_edge": case.image_size},
        "processor_class": "SmolVLMProcessor", "resample": 1, "rescale_factor": 1 / 255,
        "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": case.video_edge}},
    }
    if case.still_edge:
        settings["size"] = {"longest_edge": case.still_edge}
    write_json(folder / "preprocessor_config.json", settings)
    write_json(folder / "processor_config.json",
               {"image_seq_len": case.grid**2, "processor_class": "SmolVLMProcessor"})
