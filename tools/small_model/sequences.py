"""Videos and texts as packed sequences: one prefix, many questions that do not see each other."""

import re
from dataclasses import dataclass
from functools import cached_property

import torch

from . import counting, guidance, prompts
from .guidance import NOTHING
from .settings import COLOURS
from .text import THEN, card_words, english, in_full, table

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
PARTS = ("at the beginning", "in the middle", "at the end")


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
        shown_in_prefix = [NOTHING] * len(before) + list(shown) + [NOTHING]
        return self.pack(prefix, shown_in_prefix, rows, template, random, (len(before), len(shown)))

    def of_table(self, video, rows, lines, random):
        """The same lookup in text: a table of cards instead of a video."""
        lines, at = table(video, random, lines)
        prefix = self.encode(prompts.QWEN.before)
        shown = [NOTHING] * len(prefix)
        for i, line in enumerate(lines):
            ids = self.encode("\n" * (i > 0) + line)
            prefix += ids
            shown += [at.index(i) if i in at else NOTHING] * len(ids)
        return self.pack(prefix, shown, rows, prompts.QWEN, random)

    def of_english(self, length, random, held_out=False):
        book = self.unseen_english if held_out else self.english
        start = int(random.integers(len(book) - length + 1))
        ids = book[start:start + length]
        points = guidance.Points([NOTHING] * length)
        return Sequence(ids, list(range(length)), [0] * length, [IGNORED, *ids[1:]], [], points=points)

    def pack(self, prefix, shown, rows, template, random, visual=(0, 0)):
        """`shown`: the card of each token of the prefix, or NOTHING."""
        n = len(prefix)
        points = guidance.Points(list(shown))
        points.before()
        out = Sequence(list(prefix), list(range(n)), [0] * n, [IGNORED] * n, list(rows), visual, points)
        for block, row in enumerate(rows, 1):
            words, answer = prompts.render(row, template, random)
            asked = self.tokenizer.encode(template.between + words + template.after)
            answered = self.tokenizer.encode(answer)
            said = answered.ids + [self.end]
            first = len(out.ids) + len(asked) - 1  # the token after which the answer's first is said
            segments = [answer[:end].count(THEN) for _, end in answered.offsets]
            points.shown += options_shown(row, template.between + words, asked, block) + [NOTHING] * len(said)
            points.answer(row, range(first, first + len(answered)), segments, block)
            if row.get("aloud"):
                points.count(counting.parts(answer, answered, first + 1), block)
            count = len(asked) + len(said)
            out.ids += asked.ids + said
            out.positions += range(n, n + count)
            out.blocks += [block] * count
            out.labels += [IGNORED] * len(asked) + (counts_alone(answer, answered) + [IGNORED] if row["kind"] == "told" else said)
        return out


def counts_alone(answer, encoded):
    """The ids of an answer's counts and of what is counted. IGNORED for all else: what else may follow a card is learnt where
    there are descriptions, too.
    """
    kept = [position for _, position in counting.parts(answer, encoded)[2:]]
    return [token if i in kept else IGNORED for i, token in enumerate(encoded.ids)]


OPTION_LINE = re.compile(r"^\(?([ABCD])[.)] .*$", re.MULTILINE)


def options_shown(row, text, encoded, block):
    """For each token of a question in multiple choice the option that it is in, or NOTHING."""
    shown = [NOTHING] * len(encoded)
    for line in OPTION_LINE.finditer(text) if row["candidates"] else ():
        for i, (start, end) in enumerate(encoded.offsets):
            if line.start() <= start and end <= line.end():
                shown[i] = guidance.option(block, "ABCD".index(line[1]))
    return shown


@dataclass
class Places:
    """Questions side by side, behind prefixes of one length: `of_slots` [b, questions * longest], each slot's place after the
    prefix, and `of_tokens` [b, t - prefix], each token's slot.
    """

    longest: int
    of_slots: torch.Tensor
    of_tokens: torch.Tensor


@dataclass
class Batch:
    """Padded sequences: `ids`, `positions`, `labels`, `blocks`, `shown` [b, t]; `visual` (start, count), one for all.
    `places` where all prefixes are of one length. `kinds`: (kind, whether multiple choice) of each sequence's questions.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
    blocks: torch.Tensor
    shown: torch.Tensor
    visual: tuple
    aims: dict
    kinds: list
    prefix_tokens: int
    places: Places = None

    @cached_property
    def may_see(self):
        """bool [b, 1, t, t]"""
        same = self.blocks[:, :, None] == self.blocks[:, None, :]
        return (same | (self.blocks == 0)[:, None, :]).tril()[:, None]


def places(sequences, prefix_tokens, length):
    """None where the prefixes are not of one length, or nothing is asked."""
    counts = [[s.blocks.count(block) for block in range(1 + len(s.questions))] for s in sequences]
    if any(c[0] != prefix_tokens for c in counts) or not all(c[1:] for c in counts):
        return None
    longest, most = max(max(c[1:]) for c in counts), max(len(c) - 1 for c in counts)
    of_slots = torch.zeros(len(sequences), most * longest, dtype=torch.long)
    of_tokens = torch.zeros(len(sequences), length - prefix_tokens, dtype=torch.long)
    for row, count in enumerate(counts):
        start = 0
        for block, tokens in enumerate(count[1:]):
            slot = block * longest
            of_slots[row, slot:slot + tokens] = torch.arange(start, start + tokens)
            of_tokens[row, start:start + tokens] = torch.arange(slot, slot + tokens)
            start += tokens
    return Places(longest, of_slots, of_tokens)


def stack(sequences):
    length = max(len(s.ids) for s in sequences)

    def padded(lists, filler):
        return torch.tensor([values + [filler] * (length - len(values)) for values in lists])
    prefix = min(s.blocks.count(0) for s in sequences)
    rows = {head: [s.points.aims[head] for s in sequences] for head in guidance.HEADS}
    return Batch(
        *(padded([getattr(s, name) for s in sequences], filler)
          for name, filler in (("ids", 0), ("positions", 0), ("labels", IGNORED), ("blocks", -1))),
        shown=padded([s.points.shown for s in sequences], guidance.NOTHING), visual=sequences[0].visual,
        aims={head: aims for head, aimed in rows.items() if (aims := guidance.Aims.of(aimed)) is not None},
        kinds=[[(q["kind"], bool(q["candidates"])) for q in s.questions] for s in sequences],
        prefix_tokens=prefix, places=places(sequences, prefix, length))
