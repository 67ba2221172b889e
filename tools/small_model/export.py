"""Writes the model as a llava-hf repository holds it, in f16, and asks it as transformers does."""

import json

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import LlavaOnevisionForConditionalGeneration

from . import decoder as decoding
from . import prompts
from .state import Checkpoint
from .text import SPECIAL

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'video' %}<video>\n"
    "{% elif part['type'] == 'image' %}<image>\n{% endif %}{% endfor %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def projector_weights(decoder):
    """The projector's weights for features as the tower gives them: the whitening becomes part of its first layer."""
    weights = dict(decoder.projector.state_dict())
    whitened = weights["linear_1.weight"] @ decoder.whitening.T
    weights |= {"linear_1.weight": whitened, "linear_1.bias": weights["linear_1.bias"] - whitened @ decoder.mean}
    return weights


def tensors(tower, decoder):
    """All weights under the names of the published files."""
    named = {f"vision_tower.vision_model.{name}": t for name, t in tower.siglip.state_dict().items()}
    named |= {f"multi_modal_projector.{name}": t for name, t in projector_weights(decoder).items()}
    named |= {f"language_model.model.{name}": t for name, t in decoder.language.state_dict().items()}
    named["image_newline"] = decoder.newline.detach()
    return {name: t.half().contiguous() for name, t in named.items() if t.is_floating_point()}


PREFIXES = {"tower": ("vision_tower.vision_model.", "siglip."), "projector": ("multi_modal_projector.", "projector."),
            "language": ("language_model.model.", "language.")}


def restore(settings, folder, tower, decoder):
    """The exported weights as checkpoints of the work folder, to go on from on a fresh machine. They are those of f16; the
    optimisers begin anew, and so does the tower's classifier.
    """
    with safe_open(folder / "model.safetensors", "pt") as file:
        steps = file.metadata()
    weights = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
    for name, model in (("tower", tower), ("decoder", decoder)):
        own = {"newline": weights["image_newline"]} if name == "decoder" else {}
        for old, new in PREFIXES.values():
            own |= {new + key.removeprefix(old): tensor for key, tensor in weights.items() if key.startswith(old)}
        kept = {key: tensor for key, tensor in own.items() if key in model.state_dict()}
        model.load_state_dict(kept, strict=False)
        Checkpoint(settings.work / f"{name}.pt", model).save(int(steps[f"{name}_steps"]))


def export(settings, tower, decoder, tokenizer, folder, steps, beta=None):
    """`steps` of tower and decoder. `beta`: the default of the ramp where validation chose another than 32."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"format": "pt"} | {f"{name}_steps": str(count) for name, count in steps.items()}
    save_file(tensors(tower, decoder), folder / "model.safetensors", metadata=metadata)
    (folder / "model.safetensors").chmod(0o644)
    eos, pad = (tokenizer.token_to_id(t) for t in ("<|im_end|>", "<|endoftext|>"))
    write_config(settings, tokenizer, folder / "config.json", beta)
    write(folder / "generation_config.json",
          {"bos_token_id": pad, "do_sample": False, "eos_token_id": [eos, pad], "pad_token_id": pad})
    write_processor(settings, folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    added = {str(tokenizer.token_to_id(t)): {"content": t, "lstrip": False, "normalized": False, "rstrip": False,
                                             "single_word": False, "special": True} for t in SPECIAL}
    write(folder / "tokenizer_config.json", {
        "add_prefix_space": False, "added_tokens_decoder": added, "bos_token": None, "chat_template": CHAT_TEMPLATE,
        "eos_token": "<|im_end|>", "model_max_length": settings.decoder.language_window_tokens,
        "pad_token": "<|endoftext|>", "tokenizer_class": "Qwen2Tokenizer", "unk_token": None})
    write(folder / "chat_template.json", {"chat_template": CHAT_TEMPLATE})


def write_config(settings, tokenizer, path, beta):
    """Spelt as transformers 4 does, which the published files are and transformers 5 reads too."""
    config = decoding.config(settings, tokenizer.get_vocab_size()).to_dict()
    text, vision = config["text_config"], config["vision_config"]
    text["rope_theta"] = text.pop("rope_parameters")["rope_theta"]
    for part in (config, text, vision):
        part.pop("dtype", None)
        part["torch_dtype"] = "float16"
    for name in ("image", "video"):
        config[f"{name}_token_index"] = tokenizer.token_to_id(f"<{name}>")
    config.pop("image_grid_pinpoints", None)
    config["architectures"] = ["LlavaOnevisionForConditionalGeneration"]
    config["longsight"] = {
        "visual_window_tokens": settings.decoder.visual_window_tokens,
        # Measured with `scripts/evidence.sh heads`; of other weights it would be others.
        "evidence_heads": [[2, 0], [3, 0], [3, 1]],
    }
    if beta is not None:
        config["longsight"] |= {"alpha": 1.0, "beta": beta}
    write(path, config)


def write_processor(settings, folder):
    side = settings.tower.image_side
    write(folder / "preprocessor_config.json", {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "image_processor_type": "LlavaOnevisionImageProcessor",
        "processor_class": "LlavaOnevisionProcessor", "resample": 3, "rescale_factor": 1 / 255,
        "size": {"height": side, "width": side}})


def write(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load(folder):
    """The exported folder as transformers reads it, in f32; every tensor must have found its place."""
    model, info = LlavaOnevisionForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    lost = {key: info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[key]}
    # The head is tied to the embeddings and not in the file.
    if set(lost) - {"missing_keys"} or any("lm_head" not in key for key in lost.get("missing_keys", [])):
        raise ValueError(f"{folder}: {lost}")
    return model.eval()


@torch.no_grad()
def ask(model, tokenizer, frames, question, new_tokens=24):
    """transformers' own answer to a question on frames, uint8 [n, side, side, 3], at its uniform stride 2."""
    pixels = (torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
    template = prompts.QWEN
    side = -(-(model.config.vision_config.image_size // model.config.vision_config.patch_size) // 2)
    video = [tokenizer.token_to_id("<video>")] * (len(frames) * side * side + 1)
    before, after = (tokenizer.encode(t).ids for t in (template.before, template.between + question + template.after))
    ids = torch.tensor([before + video + after])
    out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values_videos=pixels[None],
                         do_sample=False, max_new_tokens=new_tokens)
    return tokenizer.decode(out[0, ids.shape[1]:].tolist(), skip_special_tokens=True)
