"""The frozen tower's features of many single frames: a training video is a row of them.

A frame's features depend on that frame alone, so a video put together from cached frames gives the decoder what an
encoded one would, without running the tower (three quarters of the work) on every step.
"""


import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from .cards import every_card
from .frames import FrameMaker
from .state import drawn, mixed
from .world import footage


class Library:
    """`features` f16 [n, grid^2, hidden]; rows of every card, and rows without a card."""

    def __init__(self, features, looks, cards, device="cpu"):
        self.features = features.to(device)
        self.cards, self.patches = cards, features.shape[1]
        counts = [looks_of(card, looks) for card in cards]
        firsts = np.cumsum([0, *counts])
        self.places = {card: (int(first), count) for card, first, count in zip(cards, firsts, counts)}
        self.empty_from = int(firsts[-1])
        self.card_of_row = torch.from_numpy(np.repeat(np.arange(len(cards) + 1), [*counts, len(features) - firsts[-1]]))

    def __len__(self):
        return len(self.features)

    def rows(self, timeline, cards, random):
        """A row for every frame; `timeline` has the index of the card that shows, or -1. A card keeps its look."""
        looks = [self.places[card] for card in cards]
        look = [first + int(random.integers(count)) for first, count in looks]
        empty = random.integers(self.empty_from, len(self.features), size=len(timeline))
        return [look[i] if i >= 0 else int(e) for i, e in zip(timeline, empty)]

    def __getitem__(self, rows):
        """f32, on the library's device."""
        return self.features[rows].float()


def looks_of(card, looks):
    """There are nine times fewer cards with one digit, and half of the videos show them."""
    return looks if card.tens else 6 * looks


class Looks(IterableDataset):
    """Frames uint8 [64, side, side, 3] of the cards in their order (None: no card), each batch from a seed of its own."""

    def __init__(self, settings, wanted):
        self.settings, self.wanted = settings, wanted

    def __iter__(self):
        info, maker = get_worker_info(), FrameMaker(footage(self.settings), self.settings.tower.image_side, 0)
        for start in range(64 * info.id, len(self.wanted), 64 * info.num_workers):
            maker.random = np.random.default_rng((self.settings.seed, 1 << 41, start))
            yield torch.from_numpy(np.stack([maker.frame(card)[0] for card in self.wanted[start:start + 64]]))


@torch.no_grad()
def build(settings, tower, looks=1, empty=4000, cards=None):
    """Reads the cached library, or makes it. `looks`: sizes, tilts, places and footage that a card is seen with."""
    cards = cards or every_card()
    path = settings.work / f"library-{looks}-{len(cards)}.npy"
    if not path.exists():
        wanted = [card for card in cards for _ in range(looks_of(card, looks))] + [None] * empty
        features = np.lib.format.open_memmap(
            path.with_suffix(".part"), "w+", np.float16, (len(wanted), settings.tower.grid_side**2, settings.tower.hidden))
        for i, frames in enumerate(drawn(Looks(settings, wanted), settings)):
            with mixed(settings.device):
                features[64 * i:64 * i + len(frames)] = tower(frames.to(settings.device)).half().cpu().numpy()
        features.flush()
        path.with_suffix(".part").rename(path)
    return Library(torch.from_numpy(np.load(path, mmap_mode="c")), looks, cards, settings.device)


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
