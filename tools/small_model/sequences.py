"""Videos and texts as packed sequences: one prefix, many questions that do not see each other."""

from dataclasses import dataclass

import torch

from . import prompts
from .text import card_words, english, table

IGNORED = -100


@dataclass
class Sequence:
    """`visual`: projected tokens are put at [start, start + count), the newline right after them. Lists of one length."""

    ids: list
    positions: list
    blocks: list  # 0: seen by all; questions count from 1
    labels: list  # of this token, not of the next one
    questions: list  # the rows that were asked; block i + 1 asks row i
    visual: tuple = (0, 0)


def describe(video):
    """The world's own description question: it makes the decoder read every card from the start."""
    def full(card):
        plate, rest = card_words(card).split(" plate with ")
        shape, number = rest.split(" and ")
        return f"{shape} with {number} on {plate} plate"
    answer = ", then ".join(full(card) for card in video.cards)
    return {"kind": "describe", "question": "Describe the video.", "answers": [answer], "candidates": [], "gold": None}


class Packer:
    """Builds sequences with one tokenizer."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.end = tokenizer.token_to_id("<|im_end|>")
        self.video = tokenizer.token_to_id("<video>")
        self.english = self.encode(english())

    def encode(self, text):
        return self.tokenizer.encode(text).ids

    def of_video(self, visual_tokens, rows, template, random):
        """Prefix, visual tokens, newline; then the questions."""
        before = self.encode(template.before)
        prefix = before + [self.video] * (visual_tokens + 1)
        return self.pack(prefix, rows, template, random, (len(before), visual_tokens))

    def of_table(self, video, rows, lines, random):
        """The same lookup in text: a table of cards instead of a video."""
        prefix = self.encode(prompts.QWEN.before + table(video, random, lines))
        return self.pack(prefix, rows, prompts.QWEN, random)

    def of_english(self, length, random):
        start = int(random.integers(len(self.english) - length))
        ids = self.english[start:start + length]
        return Sequence(ids, list(range(length)), [0] * length, [IGNORED, *ids[1:]], [])

    def pack(self, prefix, rows, template, random, visual=(0, 0)):
        n = len(prefix)
        out = Sequence(list(prefix), list(range(n)), [0] * n, [IGNORED] * n, list(rows), visual)
        for block, row in enumerate(rows, 1):
            words, answer = prompts.render(row, template, random)
            asked = self.encode(template.between + words + template.after)
            said = self.encode(answer) + [self.end]
            count = len(asked) + len(said)
            out.ids += asked + said
            out.positions += range(n, n + count)
            out.blocks += [block] * count
            out.labels += [IGNORED] * len(asked) + said
        return out


@dataclass
class Batch:
    """Padded sequences: ids, positions, labels [b, t]; may_see bool [b, 1, t, t]."""

    ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
    may_see: torch.Tensor
    sequences: list


def stack(sequences):
    length = max(len(s.ids) for s in sequences)

    def padded(name, filler):
        return torch.tensor([getattr(s, name) + [filler] * (length - len(s.ids)) for s in sequences])
    blocks = padded("blocks", -1)
    same = blocks[:, :, None] == blocks[:, None, :]
    may_see = (same | (blocks == 0)[:, None, :]).tril()
    return Batch(padded("ids", 0), padded("positions", 0), padded("labels", IGNORED), may_see[:, None], sequences)
