"""Shows attention where to look while it learns.

Finding a card by one of its marks is a circuit of several layers that forms only once all of its parts are there; from the
answers alone that takes many thousands of steps. So some heads are told: in `BEFORE` a card's tokens should look
at the card before it, in `KEY` an answer's tokens at the cards that the question names, in `ANSWER` at the card that has
the answer, and in `OPTION` a letter at the option that says it. A description and a count go through the cards, one after the
other; a count also looks whether the word after a card is the one that is counted (`MATCH`), and where the number is due, at
that word (`WORD`) and at the number so far (`SO_FAR`). Used in training only: the model is an ordinary Qwen2.
"""

from dataclasses import dataclass, field

import torch

# (layer, head)
BEFORE, KEY, ANSWER, OPTION, MATCH, WORD, SO_FAR = HEADS = (1, 0), (2, 0), (3, 0), (4, 0), (2, 3), (3, 2), (3, 1)
BEFORE_TOKENS = 64  # of each sequence, drawn: all of them would cost as much as the layer
NOTHING = -1
FIRST_OPTION, FIRST_SAID = 1000, 100_000
MOST_SAID = 100  # in one answer


def option(block, letter):
    """What a token shows that is in an option (0 to 3) of a question."""
    return FIRST_OPTION + 4 * block + letter


def said(block, i):
    """What a token shows that an answer which counts looks back to."""
    return FIRST_SAID + MOST_SAID * block + i


@dataclass
class Points:
    """Where the tokens of one sequence should look. `shown`: for each token the card or the option that it shows,
    or NOTHING; `aims`: by head, (position, what is shown there) of the tokens that are told.
    """

    shown: list
    aims: dict = field(default_factory=lambda: {head: [] for head in HEADS})

    def before(self):
        """Tokens that show a card, evenly drawn, look at the card before theirs."""
        later = [(i, card - 1) for i, card in enumerate(self.shown) if card > 0]
        self.aims[BEFORE] = later[::-(-len(later) // BEFORE_TOKENS) or 1]

    def answer(self, row, positions, segments, block):
        """The tokens at `positions`, which say the answer of a row; `segments`: how many cards of a list come before each."""
        cards, counted_in_options = row["cards"], row["kind"] == "how-many" and row["candidates"]
        for position, segment in zip(positions, segments):
            if not cards or counted_in_options:
                continue
            if row["kind"] in ("describe", "how-many"):
                named, answering = [cards[segment]], cards[segment]
            elif row["kind"] == "first":
                named, answering = cards, cards[0]
            else:
                named, answering = cards[:1], cards[-1]
            self.aims[KEY] += [(position, card) for card in named]
            self.aims[ANSWER].append((position, answering))
        if row["candidates"]:
            self.aims[OPTION].append((positions[0], option(block, row["gold"])))

    def count(self, parts, block):
        """An answer that counts. `parts`: (the word, its position) of what it begins with, of what is counted and of what
        is said after each card, each of the latter followed by the number so far, and the last number.
        """
        for i, (_, position) in enumerate(parts[:-1]):
            self.shown[position] = said(block, i)
        for i in range(2, len(parts) - 1, 2):
            (word, position), (_, number) = parts[i:i + 2]
            self.aims[MATCH].append((position, said(block, int(word == parts[1][0]))))
            self.aims[WORD].append((number - 1, said(block, i)))
        self.aims[SO_FAR] += [(parts[i][1] - 1, said(block, i - 2)) for i in range(5, len(parts), 2)]
        self.aims[SO_FAR].append((parts[-1][1] - 1, said(block, len(parts) - 2)))


@dataclass
class Aims:
    """One head's aims of a batch, padded: `positions` and `shown` [b, w]; `real` bool [b, w]."""

    positions: torch.Tensor
    shown: torch.Tensor
    real: torch.Tensor

    @classmethod
    def of(cls, rows):
        """`rows`: a list of (position, shown) for each sequence. None where all are empty."""
        width = max(map(len, rows))
        if width == 0:
            return None
        padded = torch.tensor([row + [(0, NOTHING)] * (width - len(row)) for row in rows])
        real = torch.tensor([[True] * len(row) + [False] * (width - len(row)) for row in rows])
        return cls(padded[..., 0], padded[..., 1], real)


class Guide:
    """Collects, head by head of one forward pass, how much attention misses: -log of the share on what it is told."""

    def __init__(self, batch):
        self.batch, self.losses = batch, {}

    def see(self, layer, query, key):
        """`query`, `key` [b, heads, t, d], rotated."""
        for at, aims in self.batch.aims.items():
            if at[0] == layer:
                self.losses[at] = missing(self.batch, aims, *(x[:, at[1]].float() for x in (query, key)))

    def loss(self):
        return sum(missed.mean() for missed in self.losses.values()) if self.losses else 0.0

    def shares(self):
        """Mean share of attention on what it is told, by head; still on the device."""
        return {head: torch.exp(-missed.detach()).mean() for head, missed in self.losses.items()}


def missing(batch, aims, query, key):
    """-log of the share of attention on what is wanted, for one head: query, key [b, t, d]. One for each real aim."""
    wanted = query.gather(1, aims.positions[..., None].expand(-1, -1, query.shape[2]))
    logits = wanted @ key.mT / query.shape[-1] ** 0.5
    block = batch.blocks.gather(1, aims.positions)[..., None]
    others = batch.blocks[:, None]
    seen = (others == 0) | (others == block)
    seen &= torch.arange(key.shape[1], device=key.device) <= aims.positions[..., None]
    logits = logits.masked_fill(~seen, float("-inf"))
    # What is no aim wants everything, so that it misses nothing.
    found = (batch.shown[:, None] == aims.shown[..., None]) | ~aims.real[..., None]
    missed = torch.logsumexp(logits, -1) - torch.logsumexp(logits.masked_fill(~found, float("-inf")), -1)
    return missed[aims.real]
