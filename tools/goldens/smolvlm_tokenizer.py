"""A byte-level BPE tokenizer in SmolLM2's form: digits apart, three special tokens first, the media tokens last."""

from pathlib import Path

from tokenizers import pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

import tiny_tokenizer

FIRST = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
IMAGE, FAKE, GLOBAL, END = "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"
# The published vocabulary has six rows and columns of tiles; videos use none of them.
LAST = (GLOBAL, "<row_1_col_1>", "<row_1_col_2>", FAKE, IMAGE, "<|reserved_special_token_0|>", END)


def build():
    tokenizer = tiny_tokenizer.byte_level_bpe(FIRST)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.add_special_tokens(tiny_tokenizer.added(FIRST + LAST))
    return tokenizer


def settings():
    media = {"image_token": IMAGE, "fake_image_token": FAKE, "global_image_token": GLOBAL,
             "end_of_utterance_token": END}
    return {
        "add_prefix_space": False, "additional_special_tokens": [FAKE, IMAGE, END], "bos_token": FIRST[1],
        "clean_up_tokenization_spaces": False, "eos_token": END, "extra_special_tokens": media, **media,
        "model_max_length": 8192, "pad_token": FIRST[2], "processor_class": "SmolVLMProcessor",
        "tokenizer_class": "PreTrainedTokenizerFast", "truncation_side": "left", "unk_token": FIRST[0],
    }


def save(tokenizer, folder: Path):
    tokenizer.save(str(folder / "tokenizer.json"))
    tiny_tokenizer.write_json(folder / "tokenizer_config.json", settings())
    tiny_tokenizer.write_json(folder / "generation_config.json", {
        "bos_token_id": 1, "eos_token_id": tokenizer.token_to_id(END), "pad_token_id": 2})


def fast(tokenizer):
    """As transformers holds it, for a processor that is not read from a folder."""
    extra = settings()["extra_special_tokens"]
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=FIRST[1], eos_token=END,
                                   pad_token=FIRST[2], unk_token=FIRST[0], extra_special_tokens=extra)
