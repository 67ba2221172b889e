"""The tokenizer, and the text that widens the language window: tables of cards and plain English."""

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from . import prompts
from .settings import COLOURS, SHAPES

# Alice's Adventures in Wonderland (1865, public domain), as in the Canterbury Corpus.
ENGLISH = Path(__file__).parent / "text" / "alice.txt"
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>")
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
THEN = ", then "  # between the cards of a description
FOOTAGE = ("clouds", "waves", "noise", "a gradient", "checks", "moving shapes", "a fractal", "cells", "a pattern")


def english():
    """The book with its hard line breaks undone."""
    paragraphs = ENGLISH.read_text().split("\n\n")
    return "\n".join(" ".join(p.split()) for p in paragraphs if p.strip())


def build_tokenizer(videos, size, random):
    """Byte-level BPE in Qwen's form, learnt from the questions, the prompts, the tables and the book."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=size - len(SPECIAL), special_tokens=[], show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(corpus(videos, random), trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    return tokenizer


def corpus(videos, random):
    yield english()
    for video in videos:
        yield "\n".join(table(video, random, 60)[0])
        for row in video.questions:
            yield "\n".join((prompts.SYSTEM, *prompts.render(row, prompts.QWEN, random)))
    for _ in range(50):
        yield "\n".join((prompts.SYSTEM, prompts.MLVU_SYSTEM, prompts.MLVU_OFFICIAL.after))


def card_words(card):
    """As the world's descriptions say it, turned round."""
    def a(noun):
        return ("an " if noun[0] in "aeiou" else "a ") + noun
    shape = f"{COLOURS[card.shape_colour]} {SHAPES[card.shape]}"
    return f"{a(COLOURS[card.plate])} plate with {a(shape)} and the number {card.number}"


def in_full(card):
    """As the world's descriptions name a card."""
    plate, rest = card_words(card).split(" plate with ")
    shape, number = rest.split(" and ")
    return f"{shape} with {number} on {plate} plate"


def table(video, random, lines):
    """The video as text: a line a second, cards in their order among lines that say nothing of use. Without times: their
    digits would teach that numbers are not found by their digits. Also the cards' lines.
    """
    at = sorted(random.choice(lines, size=min(len(video.cards), lines), replace=False).tolist())
    rows = [FOOTAGE[random.integers(len(FOOTAGE))] for _ in range(lines)]
    for card, line in zip(video.cards, at):
        rows[line] = card_words(card)
    return [f"- {row}" for row in rows], at
