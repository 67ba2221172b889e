"""A byte-level BPE tokenizer in Qwen's form: 256 bytes, a few merges, then the special tokens."""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"]
MERGES = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("Ġ", "a"), ("i", "n"), ("e", "r"), ("u", "s"), ("us", "er"),
          ("s", "t"), ("a", "n"), ("a", "t"), ("o", "u"), ("Ġ", "s"), ("m", "e"), ("r", "e"), ("i", "s"),
          ("an", "t"), ("i", "st"), ("as", "s"), ("a", "s")]

# Both templates as transformers published them for LLaVA-OneVision (the first in the model repositories'
# chat_template.json, the second in its conversion script of release 4.45.2).
_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '@ROLE@'}}{# Render all images first #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>@MEDIA@' }}{% endfor %}"
    "{# Render all video then #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>@MEDIA@' }}{% endfor %}"
    "{# Render all text next #}{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ @TEXT@content['text'] }}{% endfor %}"
    "{% else %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ @TEXT@content['text'] }}{% endgeneration %}{% endfor %}{% endif %}"
    "{{'<|im_end|>'@END@}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def chat_template(variant):
    values = {"space": (" ", "", "'\\n' + ", ""), "newline": ("\\n", "\\n", "", " + '\\n'")}[variant]
    text = _TEMPLATE
    for key, value in zip(("@ROLE@", "@MEDIA@", "@TEXT@", "@END@"), values):
        text = text.replace(key, value)
    return text


def byte_level_bpe(first=()):
    """`first`: tokens that come before the bytes."""
    symbols = [*first, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocab = {symbol: i for i, symbol in enumerate(symbols)}
    merges = []
    for left, right in MERGES:
        if left in vocab and right in vocab and left + right not in vocab:
            vocab[left + right] = len(vocab)
            merges.append((left, right))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, byte_fallback=False))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def added(tokens):
    return [AddedToken(token, normalized=False, special=True) for token in tokens]


def build(media_tokens=True):
    """`media_tokens`: with <image> and <video>, as llava-hf has them; the original repositories do not."""
    tokenizer = byte_level_bpe()
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    specials = SPECIAL if media_tokens else SPECIAL[:3]
    tokenizer.add_special_tokens(added(specials))
    return tokenizer


def save(tokenizer, folder: Path, variant, max_length):
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(tokenizer.token_to_id(t)): {"content": t, "lstrip": False, "normalized": False, "rstrip": False,
                                            "single_word": False, "special": True} for t in SPECIAL if tokenizer.token_to_id(t) is not None},
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "model_max_length": max_length,
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    if variant is not None:
        config["chat_template"] = chat_template(variant)
        write_json(folder / "chat_template.json", {"chat_template": config["chat_template"]})
    write_json(folder / "tokenizer_config.json", config)
    eos = tokenizer.token_to_id("<|im_end|>")
    pad = tokenizer.token_to_id("<|endoftext|>")
    write_json(folder / "generation_config.json",
               {"bos_token_id": pad, "do_sample": False, "eos_token_id": [eos, pad], "pad_token_id": pad})


def write_json(path: Path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
