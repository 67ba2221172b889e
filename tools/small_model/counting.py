"""How many: counted aloud, card by card.

How many cards there are of a kind cannot be read off in one step: cards show for different times, so a share of attention
says how long, not how many. The answer therefore describes the cards in their order, which is learnt anyway, and keeps the count: "Each
star - a blue star with the number 7 on a red plate, star: 1, then a white ring with the number 12 on a black plate, ring: 1. So 1."
What it begins with tells it from a description all along; what the question is about is said after each card, so that it need
only be compared with a word. The world's own answer is the last number.
"""

import re
from dataclasses import replace

from .cards import READABLE
from .settings import COLOURS, SHAPES
from .text import THEN, in_full

TEXTS = {
    None: ("How many cards are shown in the video?", "How many cards appear in total?",
           "Count the cards in the video. How many are there?"),
    "plate": ("How many cards have {} plate?", "How many {} plates are there in the video?", "On how many cards is the plate {}?"),
    "shape_colour": ("How many cards have {} shape on them?", "How many {} shapes are on cards?",
                     "On how many cards is the shape {}?"),
    "shape": ("How many cards show {}?", "How many cards with {} are there in the video?", "On how many cards is there {}?"),
}
KINDS = (None, "plate", "shape_colour", "shape", "shape", "shape")  # as often as the world asks
ARTICLE_BEFORE = ("have {}", "show {}", "with {}", "there {}")


def question(kind, word, random):
    """In one of the world's ways."""
    texts = TEXTS[kind]
    text = texts[random.integers(len(texts))]
    article = any(place in text for place in ARTICLE_BEFORE)
    return text.format(f"a{'n' * (word[:1] in 'aeiou')} {word}" if article else word)


def named(card, kind):
    """What a card has of a kind: "red", "star"."""
    return "card" if kind is None else (SHAPES if kind == "shape" else COLOURS)[getattr(card, kind)]


def aloud(cards, kind, wanted):
    """The answer that goes through the cards."""
    noun = {None: "card", "shape": wanted, "shape_colour": f"{wanted} shape", "plate": f"{wanted} plate"}[kind]
    said, count = [], 0
    for card in cards:
        name = named(card, kind)
        count += name == wanted
        said.append(f"{in_full(card)}, {name}: {count}")
    return f"Each {noun} - {THEN.join(said)}. So {count}."


PART = re.compile(r"^\w+|(?<=^Each )\w+|\w+(?=: \d)|(?<=: )\d+|(?<=So )\d+")


def parts(answer, encoded, first=0):
    """(The word, the position of its last token) of "Each", of what is counted, of what is said after each card, each followed
    by the count so far, and of the last count. `first`: the position of the answer's first token.
    """
    return [(found[0], first + next(i for i, (_, end) in enumerate(encoded.offsets) if end >= found.end()))
            for found in PART.finditer(answer)]


def told(video, random):
    """A count of cards that nothing shows: only the counts are learnt."""
    return how_many(video, random) | {"kind": "told", "cards": []}


def how_many(video, random):
    """A question on some card's plate, colour or shape, or on all cards, with the answer counted aloud."""
    kind = KINDS[random.integers(len(KINDS))]
    wanted = named(video.cards[random.integers(len(video.cards))], kind)
    return {"kind": "how-many", "question": question(kind, wanted, random), "answers": [aloud(video.cards, kind, wanted)],
            "candidates": [], "gold": None, "cards": list(range(len(video.cards))), "aloud": True}


def alike(video, random):
    """The video with one colour or shape on about half of its cards, without its questions: drawn cards seldom agree."""
    kind = ("plate", "shape_colour", "shape")[random.integers(3)]
    value = int(random.integers(len(SHAPES if kind == "shape" else COLOURS)))

    def changed(card):
        other = replace(card, **{kind: value})
        return other if (other.plate, other.shape_colour) in READABLE and random.random() < 0.5 else card
    return replace(video, cards=tuple(changed(card) for card in video.cards), questions=())
