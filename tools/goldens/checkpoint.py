"""Seeded tiny checkpoints: built and saved by transformers, then re-spelt as published files are."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

import tiny_tokenizer
from tiny_tokenizer import write_json

ROW_PADDING = 16  # embedding rows beyond the tokenizer's size, as the published HF files have


def make_config(case, tokenizer):
    size = tokenizer.get_vocab_size()
    text = dict(
        model_type="qwen2", vocab_size=size + ROW_PADDING, hidden_size=case.hidden, intermediate_size=case.mlp,
        num_hidden_layers=case.layers, num_attention_heads=case.heads, num_key_value_heads=case.kv_heads,
        max_position_embeddings=case.language_window, tie_word_embeddings=case.tied, rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": case.theta},
    )
    assert case.explicit_head_dim or case.hidden == case.heads * case.head_dim, case.name
    if case.explicit_head_dim:
        text["head_dim"] = case.head_dim
    vision = dict(
        model_type="siglip_vision_model", hidden_size=case.tower_hidden, intermediate_size=case.tower_mlp,
        num_hidden_layers=case.tower_layers, num_attention_heads=case.tower_heads, image_size=case.image_size,
        patch_size=case.patch, vision_use_head=False,
    )
    # The original layout's tokenizer has no media tokens: any two ids of the padding will do there.
    image, video = (tokenizer.token_to_id(t) for t in ("<image>", "<video>"))
    return LlavaOnevisionConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=case.tied,
        image_token_index=size if image is None else image,
        video_token_index=size + 1 if video is None else video,
    )


def seed_weights(model, seed, tied):
    """Scaled so that attention matters: with the default initialisation a wrong RoPE would pass the tests.

    With a tied head the residual branches outweigh the embeddings, or it would only repeat the last token.
    """
    generator = torch.Generator().manual_seed(seed)
    gains = {"q_proj": 1.2, "k_proj": 1.2, "o_proj": 1.5, "down_proj": 1.5}
    for name, tensor in sorted(model.named_parameters()):
        noise = torch.randn(tensor.shape, generator=generator)
        if "norm" in name:
            value = 0.1 * noise + (1.0 if name.endswith("weight") else 0.0)
        elif name.endswith("bias"):
            value = 0.1 * noise
        elif "embed" in name and "patch" not in name or name.endswith("image_newline"):
            value = (0.05 if tied and "embed_tokens" in name else 0.5) * noise
        else:
            fan_in = tensor[0].numel()
            value = noise * gains.get(name.split(".")[-2], 1.0) / fan_in**0.5
        tensor.data.copy_(value)


PROJECT = Path(__file__).resolve().parents[2]


def write(case, seed, folder: Path):
    """Writes the checkpoint and returns it as transformers reads it back, in f32. A trained one is only read."""
    if case.trained:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return load(PROJECT / case.trained), Tokenizer.from_file(str(PROJECT / case.trained / "tokenizer.json"))
    tokenizer = tiny_tokenizer.build(media_tokens=case.layout != "lmms")
    torch.manual_seed(seed)
    model = LlavaOnevisionForConditionalGeneration(make_config(case, tokenizer))
    seed_weights(model, seed, case.tied)
    model = model.to(getattr(torch, case.dtype))
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, max_shard_size=case.shard_size or "1GB")
    model = load(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    respell(case, folder, tokenizer)
    if case.layout == "hf-published":
        published = load(folder)
        for (name, left), (_, right) in zip(model.named_parameters(), published.named_parameters(), strict=True):
            assert torch.equal(left, right), name
    variant = None if case.layout == "lmms" else case.chat_template
    tiny_tokenizer.save(tokenizer, folder, variant, case.language_window)
    if case.layout != "lmms":
        write_preprocessor(case, folder)
    return model, tokenizer


def load(folder, kind=LlavaOnevisionForConditionalGeneration):
    model, info = kind.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
    return model.eval()


def respell(case, folder, tokenizer):
    """From the files transformers 5 writes to those in the published repositories (names and config keys)."""
    config = json.loads((folder / "config.json").read_text())
    del config["image_grid_pinpoints"]
    if case.layout == "hf5":
        write_json(folder / "config.json", config)
        return
    assert case.shard_size is None, "only single files are re-spelt"
    path = folder / "model.safetensors"
    rename = to_lmms if case.layout == "lmms" else to_published
    tensors = {rename(name): tensor for name, tensor in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
    config = lmms_config(case, config) if case.layout == "lmms" else published_config(config)
    write_json(folder / "config.json", config)


def to_published(name):
    return name.replace("vision_tower.", "vision_tower.vision_model.", 1) if name.startswith("vision_tower.") else name


def to_lmms(name):
    for old, new in (("language_model.model.", "model."), ("language_model.lm_head.", "lm_head."),
                     ("vision_tower.", "model.vision_tower.vision_tower.vision_model."),
                     ("multi_modal_projector.linear_1.", "model.mm_projector.0."),
                     ("multi_modal_projector.linear_2.", "model.mm_projector.2."),
                     ("image_newline", "model.image_newline")):
        if name.startswith(old):
            return new + name[len(old):]
    raise ValueError(name)


def published_config(config):
    """The spelling of transformers 4: rope_theta, torch_dtype, keys equal to class defaults left out."""
    text, vision = dict(config["text_config"]), dict(config["vision_config"])
    dtype = config.pop("dtype")
    for part in (config, text, vision):
        part.pop("dtype", None)
        part["torch_dtype"] = dtype
    text["rope_theta"] = text.pop("rope_parameters")["rope_theta"]
    text["rope_scaling"] = None
    for key in ("attention_dropout", "layer_types", "bos_token_id", "eos_token_id", "pad_token_id", "hidden_act",
                "rms_norm_eps", "initializer_range"):
        text.pop(key, None)
    text.update(sliding_window=32, use_sliding_window=False)
    for key in ("attention_dropout", "hidden_act", "layer_norm_eps", "num_channels"):
        vision.pop(key, None)
    config.update(text_config=text, vision_config=vision, transformers_version="4.45.2")
    return config


def lmms_config(case, config):
    text, vision = config["text_config"], config["vision_config"]
    keys = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "hidden_act", "tie_word_embeddings")
    flat = {key: text[key] for key in keys}
    flat.update(
        architectures=["LlavaQwenForCausalLM"], model_type="llava", torch_dtype=config["dtype"],
        rope_theta=text["rope_parameters"]["rope_theta"],
        # Never took effect in the original code, so it must not here either.
        rope_scaling={"factor": 4.0, "type": "linear"},
        use_sliding_window=False, sliding_window=32, max_window_layers=28, use_mm_proj=True,
        mm_hidden_size=vision["hidden_size"], mm_projector_type="mlp2x_gelu", mm_patch_merge_type="spatial_unpad",
        mm_spatial_pool_mode=case.pool_mode, mm_spatial_pool_stride=2, mm_vision_select_layer=-2,
        mm_vision_select_feature="patch", mm_vision_tower="google/siglip-so400m-patch14-384",
        image_aspect_ratio="anyres_max_9", add_time_instruction=case.newline == "grid",
        # Not in the original files, whose tower is always the so400m: the sizes of this tiny one.
        vision_config={key: vision[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers",
                                                    "num_attention_heads", "image_size", "patch_size")},
    )
    if case.newline != "one_token":  # the original files leave the default out
        flat["mm_newline_position"] = case.newline
    return flat


def write_preprocessor(case, folder):
    write_json(folder / "preprocessor_config.json", {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": list(case.mean), "image_std": list(case.std),
        "image_processor_type": "LlavaOnevisionImageProcessor", "processor_class": "LlavaOnevisionProcessor",
        "resample": 3, "rescale_factor": 1 / 255, "size": {"height": case.image_size, "width": case.image_size},
    })
