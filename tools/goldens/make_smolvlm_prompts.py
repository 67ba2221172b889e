"""Prompts for videos as SmolVLMProcessor writes and tokenises them, with the number words and times in them.

--check compares with what is stored; --checkpoint DIR takes a real folder's processor and prints, or writes with
--out FILE; --template FILE also asserts that a checkpoint's own chat template gives the same text.
"""

import argparse
import json
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
from num2words import num2words
from transformers.models.smolvlm.image_processing_smolvlm import SmolVLMImageProcessor
from transformers.models.smolvlm.processing_smolvlm import SmolVLMProcessor
from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor
from transformers.video_utils import VideoMetadata

import smolvlm_tokenizer
from maker import DATA
from smolvlm_stages import process
from smolvlm_tokenizer import END, FAKE, FIRST, GLOBAL, IMAGE

STORED = DATA / "smolvlm_prompts.json"
SEEDED_TOKENS_A_FRAME = 2
SYSTEM, ANSWER, SECOND = "Answer in one word.", "The dog jumps.", "And after 12:05?"
# Name: frames, frames a second of the source, duration in seconds, turns, with a system turn.
CASES = {
    "1-frame": (1, 30.0, 0.4, 1, False), "1-frame-system": (1, 25.0, 59.6, 1, True),
    "2-frames": (2, 29.97, 59.6, 1, False), "2-frames-two-turns": (2, 24.0, 3.0, 2, False),
    "5-frames-system": (5, 25.0, 3599.9, 1, True), "5-frames-two-turns-system": (5, 30.0, 605.25, 2, True),
    "64-frames": (64, 30.0, 10800.0, 1, False), "64-frames-two-turns-system": (64, 29.97, 3600.0, 2, True),
    "3-frames-of-a-day": (3, 1.0, 90061.0, 1, False),
}
DURATIONS = (0.0, 0.4, 0.999, 59.6, 60.0, 3599.9, 3600.0, 10800.0, 35999.9, 86399.9, 86400.0, 90061.0, 864005.0)


def seeded_processor():
    tokenizer = smolvlm_tokenizer.fast(smolvlm_tokenizer.build())
    edge = {"longest_edge": 2}
    return SmolVLMProcessor(SmolVLMImageProcessor(size=edge, max_image_size=edge), tokenizer,
                            SmolVLMVideoProcessor(size=edge, max_image_size=edge), SEEDED_TOKENS_A_FRAME)


def turn(role, text, video=False):
    return {"role": role, "content": [{"type": "video"}] * video + [{"type": "text", "text": text}]}


def conversation(turns, system):
    messages = [turn("system", SYSTEM)] * system + [turn("user", "What happens?", video=True)]
    return messages + [turn("assistant", ANSWER), turn("user", SECOND)] * (turns - 1)


def prompt(processor, template, case):
    frames, fps, duration, turns, system = case
    total = max(1, int(duration * fps))
    indices = np.linspace(0, total - 1, frames, dtype=int).tolist()
    metadata = VideoMetadata(total_num_frames=total, fps=fps, duration=duration, frames_indices=indices)
    messages = conversation(turns, system)
    if template:
        text = processor.apply_chat_template(messages, add_generation_prompt=True)
        own = processor.apply_chat_template(messages, chat_template=template, add_generation_prompt=True)
        assert own == text, f"the template gives {own!r} where the processor has {text!r}"
    pixels = np.full((frames, 2, 2, 3), 7, np.uint8)
    ids = process(processor, messages, pixels, metadata, do_resize=False)["input_ids"][0].tolist()
    whole = processor.tokenizer.decode(ids, skip_special_tokens=False)
    assert ids == pieces_apart(processor.tokenizer, whole), whole
    return {"times_secs": metadata.timestamps, "duration_secs": duration, "system": SYSTEM if system else None,
            "turns": [m["content"][-1]["text"] for m in messages if m["role"] != "system"], "text": whole, "ids": ids}


def pieces_apart(tokenizer, text):
    special = "|".join(map(re.escape, (FIRST[1], GLOBAL, FAKE, IMAGE, END)))
    pieces = [piece for piece in re.split(f"({special})", text) if piece]
    return [i for piece in pieces for i in tokenizer.encode(piece, add_special_tokens=False)]


def read_template(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(text)["chat_template"] if path.suffix == ".json" else text


def make(processor, template):
    return {
        "tokens_a_frame": processor.image_seq_len,
        "prompts": {name: prompt(processor, template, case) for name, case in CASES.items()},
        "durations": [[secs, str(timedelta(seconds=int(secs)))] for secs in DURATIONS],
        "number_words": [num2words(n) for n in range(1101)],
    }


def dump(made):
    """A line for each prompt's ids and for the words."""
    text = json.dumps(made, indent=1, ensure_ascii=False)
    return re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\s*\n\s*", " ", m.group()), text) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--template", type=Path)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    processor = SmolVLMProcessor.from_pretrained(args.checkpoint) if args.checkpoint else seeded_processor()
    made = dump(make(processor, read_template(args.template) if args.template else None))
    if args.check:
        assert json.loads(STORED.read_text(encoding="utf-8")) == json.loads(made), "differs from what is stored"
        print(f"{STORED.name}: as stored")
    elif args.checkpoint and not args.out:
        print(made)
    else:
        (args.out or STORED).write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
