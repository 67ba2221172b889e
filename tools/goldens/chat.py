"""The checkpoint's own chat template, rendered by transformers, with its token ids."""

from transformers import PreTrainedTokenizerFast

import tiny_tokenizer


def render(case, tokenizer):
    if case.layout == "lmms":
        return {}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    messages = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": case.question}]}]
    text = fast.apply_chat_template(
        messages, chat_template=tiny_tokenizer.chat_template(case.chat_template), tokenize=False,
        add_generation_prompt=True)
    return {"chat_text": text, "chat_ids": tokenizer.encode(text, add_special_tokens=False).ids}
