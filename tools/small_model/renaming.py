"""Other colours, shapes and numbers for a video and its questions: a thousand scripts would be learnt by heart."""

import re
from dataclasses import replace

from .cards import READABLE, Card
from .settings import COLOURS, SHAPES

NAMES = "|".join(COLOURS + SHAPES)
WORD = re.compile(rf"\b(?:{NAMES}|\d+)\b")
NAME = re.compile(rf"\b(?:{NAMES})\b")
ARTICLE = re.compile(rf"\b([Aa])n?(?= ({NAMES})\b)")
TRIES = 60


def renamed(video, random):
    """A video of stage 1 with its colours, shapes and numbers exchanged, each by a permutation that the questions follow; half of
    the time for numbers of stage 2, which have two digits.
    """
    numbers = range(10) if random.random() < 0.5 else range(10, 100)
    new_numbers = random.permutation(numbers)[:10].tolist()
    colours, shapes = readable_colours(video.cards, random), random.permutation(len(SHAPES)).tolist()
    words = {COLOURS[old]: COLOURS[new] for old, new in enumerate(colours)}
    words |= {SHAPES[old]: SHAPES[new] for old, new in enumerate(shapes)}
    words |= {str(old): str(new) for old, new in enumerate(new_numbers)}

    def spoken(text, pattern=WORD):
        text = pattern.sub(lambda word: words.get(word[0], word[0]), text)
        return ARTICLE.sub(lambda found: found[1] + "n" * (found[2][0] in "aeiou"), text)

    def row_of(row):
        pattern = NAME if row["kind"] == "how-many" else WORD  # a count stays what it is
        return row | {"question": spoken(row["question"]), "answers": [spoken(row["answers"][0], pattern)],
                      "candidates": [spoken(text, pattern) for text in row["candidates"]]}
    cards = tuple(Card(colours[c.plate], shapes[c.shape], colours[c.shape_colour], new_numbers[c.number]) for c in video.cards)
    return replace(video, cards=cards, questions=tuple(map(row_of, video.questions)))


def readable_colours(cards, random):
    """A permutation with which every shape is still readable on its plate; as they are where none is found."""
    for _ in range(TRIES):
        colours = random.permutation(len(COLOURS)).tolist()
        if all((colours[c.plate], colours[c.shape_colour]) in READABLE for c in cards):
            return colours
    return list(range(len(COLOURS)))
