"""Videos and texts as packed sequences: one prefix, many questions that do not see each other."""

from dataclasses import dataclass

import torch

from . import guidance, prompts
from .settings import COLOURS
from .text import card_words, english, table

IGNORED = -100
HELD_OUT_TOKENS = 8192


@dataclass
class Sequence:
    """`visual`: projected tokens are put at [start, start + count), the newline right after them. Lists of one length."""

    ids: list
    positions: list
    blocks: list  # 0: seen by all; questions count from 1
    labels: list  # of this token, not of the next one
    questions: list  # the rows that were asked; block i + 1 asks row i
    visual: tuple = (0, 0)
    points: guidance.Points = None


DESCRIBE = ("Describe the video.", "What does the video show? Name the cards in order.",
            "List all cards of the video in the order in which they appear.",
            "Describe every card in the video, from the first to the last.")
WHEN = ("When does {} appear: at the beginning, in the middle or at the end of the video?",
        "Is {} shown at the beginning, in the middle or at the end?",
        "In which part of the video is {} shown: beginning, middle or end?")
WHEN_CHOICE = ("When does {} appear in the video?", "In which part of the video is {} shown?")
THEN = ", then "
PARTS = ("at the beginning", "in the middle", "at the end")


def in_full(card):
    """As the world's descriptions name a card."""
    plate, rest = card_words(card).split(" plate with ")
    shape, number = rest.split(" and ")
    return f"{shape} with {number} on {plate} plate"


def open_row(kind, question, answer, cards):
    question = question[0].upper() + question[1:]
    return {"kind": kind, "question": question, "answers": [answer], "candidates": [], "gold": None, "cards": cards}


def describe(video, random):
    """The world's own question on all cards, of an excerpt too: it makes the decoder read every card from the start."""
    answer = THEN.join(in_full(card) for card in video.cards)
    return open_row("describe", DESCRIBE[random.integers(len(DESCRIBE))], answer, list(range(len(video.cards))))


def phrase(video, index, random):
    """What picks out a card of the video, in one of the world's ways; None where its number is not its own."""
    card = video.cards[index]
    shape = card_words(card).split(" with ")[1].split(" and ")[0]  # "a red star"
    if [other.number for other in video.cards].count(card.number) > 1:
        return None
    ways = [f"the card with the number {card.number}", f"the card numbered {card.number}",
            f"the card with {shape} on it", f"the card that shows {shape}"]
    if [other.plate for other in video.cards].count(card.plate) == 1:
        ways += [f"the {COLOURS[card.plate]} plate", f"the {COLOURS[card.plate]} card"]
    return ways[random.integers(len(ways))]


def one_card(video, random):
    """A card in full, found by one of its marks, or the one after it. Not a question of the world's: it has five answers in
    one, each of which teaches finding a card.
    """
    index, after = int(random.integers(len(video.cards))), random.random() < 0.35
    words = phrase(video, index, random)
    if words is None or index + after >= len(video.cards):
        return None
    question = f"Describe the card that follows {words}." if after else f"Describe {words}."
    return open_row("card", question, in_full(video.cards[index + after]), [index, index + after])


def when(video, seen, random):
    """The world's question on the part of the video, by `seen`: the index of the card in each frame, or -1. None where
    the card that was drawn shows in two parts, or its number is not its own.
    """
    index = int(random.integers(len(video.cards)))
    shown = [i for i, card in enumerate(seen) if card == index]
    part = shown[0] * 3 // len(seen)
    words = phrase(video, index, random)
    if (shown[-1] + 1) * 3 > (part + 1) * len(seen) or words is None:
        return None
    choice = random.random() < 0.3
    texts = WHEN_CHOICE if choice else WHEN
    row = open_row("when", texts[random.integers(len(texts))].format(words), PARTS[part].split()[-1], [index])
    if choice:
        row["candidates"] = [str(part) for part in random.permutation([*PARTS, "never"])]
        row["gold"] = row["candidates"].index(PARTS[part])
    return row


class Packer:
    """Builds sequences with one tokenizer."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.end = tokenizer.token_to_id("<|im_end|>")
        self.video = tokenizer.token_to_id("<video>")
        book = self.encode(english())
        # The end of the book is for measuring only.
        self.english, self.unseen_english = book[:-HELD_OUT_TOKENS], book[-HELD_OUT_TOKENS:]

    def encode(self, text):
        return self.tokenizer.encode(text).ids

    def of_video(self, shown, rows, template, random):
        """Prefix, visual tokens, newline; then the questions. `shown`: the card of each visual token, or -1."""
        before = self.encode(template.before)
        prefix = before + [self.video] * (len(shown) + 1)
        points = guidance.Points([-1] * len(before) + list(shown) + [-1])
        return self.pack(prefix, rows, template, random, points, (len(before), len(shown)))

    def of_table(self, video, rows, lines, random):
        """The same lookup in text: a table of cards instead of a video."""
        lines, at = table(video, random, lines)
        prefix, cards = self.encode(prompts.QWEN.before), []
        cards += [-1] * len(prefix)
        for i, line in enumerate(lines):
            ids = self.encode("\n" * (i > 0) + line)
            prefix += ids
            cards += [at.index(i) if i in at else -1] * len(ids)
        return self.pack(prefix, rows, prompts.QWEN, random, guidance.Points(cards))

    def of_english(self, length, random, held_out=False):
        book = self.unseen_english if held_out else self.english
        start = int(random.integers(len(book) - length + 1))
        ids = book[start:start + length]
        return Sequence(ids, list(range(length)), [0] * length, [IGNORED, *ids[1:]], [], points=guidance.Points([-1] * length))

    def pack(self, prefix, rows, template, random, points, visual=(0, 0)):
        n = len(prefix)
        out = Sequence(list(prefix), list(range(n)), [0] * n, [IGNORED] * n, list(rows), visual, points)
        for block, row in enumerate(rows, 1):
            words, answer = prompts.render(row, template, random)
            asked = self.encode(template.between + words + template.after)
            answered = self.tokenizer.encode(answer)
            said = answered.ids + [self.end]
            first = len(out.ids) + len(asked) - 1  # the token after which the answer's first is said
            segments = [answer[:end].count(THEN) for _, end in answered.offsets]
            guidance.point(row, range(first, first + len(answered.ids)), segments, points)
            count = len(asked) + len(said)
            out.ids += asked + said
            out.positions += range(n, n + count)
            out.blocks += [block] * count
            out.labels += [IGNORED] * len(asked) + said
        return out


@dataclass
class Places:
    """Questions side by side, behind prefixes of one length: `of_slots` [b, questions * longest], each slot's place in the
    sequence, and `of_tokens` [b, t - prefix], each token's slot.
    """

    longest: int
    of_slots: torch.Tensor
    of_tokens: torch.Tensor


@dataclass
class Batch:
    """Padded sequences: ids, positions, labels [b, t]; may_see bool [b, 1, t, t], causal in the first `prefix_tokens`.
    `places` where all prefixes are of one length.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
    may_see: torch.Tensor
    sequences: list
    prefix_tokens: int
    places: Places = None


def places(sequences, prefix_tokens, length):
    """None where the prefixes are not of one length, or nothing is asked."""
    counts = [[s.blocks.count(block) for block in range(1 + len(s.questions))] for s in sequences]
    if any(c[0] != prefix_tokens for c in counts) or not all(c[1:] for c in counts):
        return None
    longest, most = max(max(c[1:]) for c in counts), max(len(c) - 1 for c in counts)
    of_slots = torch.full((len(sequences), most * longest), prefix_tokens)
    of_tokens = torch.zeros(len(sequences), length - prefix_tokens, dtype=torch.long)
    for row, count in enumerate(counts):
        start = 0
        for block, tokens in enumerate(count[1:]):
            slot = block * longest
            of_slots[row, slot:slot + tokens] = torch.arange(prefix_tokens + start, prefix_tokens + start + tokens)
            of_tokens[row, start:start + tokens] = torch.arange(slot, slot + tokens)
            start += tokens
    return Places(longest, of_slots, of_tokens)


def stack(sequences):
    length = max(len(s.ids) for s in sequences)

    def padded(name, filler):
        return torch.tensor([getattr(s, name) + [filler] * (length - len(s.ids)) for s in sequences])
    blocks = padded("blocks", -1)
    same = blocks[:, :, None] == blocks[:, None, :]
    may_see = (same | (blocks == 0)[:, None, :]).tril()
    prefix = min(s.blocks.count(0) for s in sequences)
    return Batch(padded("ids", 0), padded("positions", 0), padded("labels", IGNORED), may_see[:, None], sequences, prefix,
                 places(sequences, prefix, length))
