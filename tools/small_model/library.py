"""The frozen tower's features of many single frames: a training video is a row of them.

A frame's features depend on that frame alone, so a video put together from cached frames gives the decoder what an
encoded one would, without running the tower (three quarters of the work) on every step.
"""


import numpy as np
import torch

from .cards import every_card
from .frames import FrameMaker
from .state import mixed
from .world import footage


class Library:
    """`features` f16 [n, grid^2, hidden]; rows of every card, and rows without a card."""

    def __init__(self, features, looks, cards):
        self.features, self.looks, self.cards = features, looks, cards
        self.first_row = {card: i * looks for i, card in enumerate(cards)}
        self.empty_from = len(cards) * looks

    def rows(self, timeline, cards, random):
        """A row for every frame; `timeline` has the index of the card that shows, or -1. A card keeps its look."""
        look = {i: self.first_row[card] + random.integers(self.looks) for i, card in enumerate(cards)}
        empty = random.integers(self.empty_from, len(self.features), size=len(timeline))
        return [look[i] if i >= 0 else int(e) for i, e in zip(timeline, empty)]

    def __getitem__(self, rows):
        return torch.from_numpy(np.asarray(self.features[rows])).float()


@torch.no_grad()
def build(settings, tower, looks=3, empty=4000, cards=None):
    """Reads the cached library, or makes it. `looks`: sizes, tilts, places and footage that a card is seen with."""
    cards = cards or every_card()
    path = settings.work / f"library-{looks}-{len(cards)}.npy"
    if not path.exists():
        maker = FrameMaker(footage(settings), settings.tower.image_side, (settings.seed, 1 << 41))
        wanted = [card for card in cards for _ in range(looks)] + [None] * empty
        features = []
        for start in range(0, len(wanted), 64):
            frames = np.stack([maker.frame(card)[0] for card in wanted[start:start + 64]])
            with mixed():
                features.append(tower(torch.from_numpy(frames)).half().numpy())
        np.save(path, np.concatenate(features))
    return Library(np.load(path, mmap_mode="r"), looks, cards)


def timeline(cards, frames, random):
    """Which card shows in each frame: every card in order, for one to three frames or as long as there is room (a
    video may be sampled thinly or densely), pauses at random."""
    room = max(1, 2 * frames // (3 * max(cards, 1)))
    most = room if random.random() < 0.4 else min(3, room)
    lengths = random.integers(1, most + 1, size=cards)
    spare = frames - lengths.sum()
    pauses = np.diff(np.sort(random.integers(0, spare + 1, size=cards)), prepend=0)
    seen = [i for card in range(cards) for i in [-1] * pauses[card] + [card] * lengths[card]]
    return seen + [-1] * (frames - len(seen))
