"""Shows attention where to look while it learns.

Finding a card by one of its marks is a circuit of several layers that forms only once all of its parts are there; from the
answers alone that takes many thousands of steps. So the first head of four layers is told: in `BEFORE_LAYER` a card's
tokens should look at the card before it, in `KEY_LAYER` an answer's tokens at the cards that the question names, in
`ANSWER_LAYER` at the card that has the answer, and in `OPTION_LAYER` a letter at the option that says it. A description and a
count go through the cards, one after the other. Used in training only: the model is an ordinary Qwen2.
"""

from dataclasses import dataclass, field

import torch

BEFORE_LAYER, KEY_LAYER, ANSWER_LAYER, OPTION_LAYER = LAYERS = 1, 2, 3, 4
HEAD = 0
BEFORE_TOKENS = 64  # of each sequence, drawn: all of them would cost as much as the layer
NOTHING = -1
FIRST_OPTION = 1000


def option(block, letter):
    """What a token shows that is in an option (0 to 3) of a question."""
    return FIRST_OPTION + 4 * block + letter


@dataclass
class Points:
    """Where the tokens of one sequence should look. `shown`: for each token the card or the option that it shows,
    or NOTHING; `aims`: by layer, (position, what is shown there) of the tokens that are told.
    """

    shown: list
    aims: dict = field(default_factory=lambda: {layer: [] for layer in LAYERS})

    def before(self):
        """Tokens that show a card, evenly drawn, look at the card before theirs."""
        later = [(i, card - 1) for i, card in enumerate(self.shown) if card > 0]
        self.aims[BEFORE_LAYER] = later[::-(-len(later) // BEFORE_TOKENS) or 1]

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
            self.aims[KEY_LAYER] += [(position, card) for card in named]
            self.aims[ANSWER_LAYER].append((position, answering))
        if row["candidates"]:
            self.aims[OPTION_LAYER].append((positions[0], option(block, row["gold"])))


@dataclass
class Aims:
    """One layer's aims of a batch, padded: `positions` and `shown` [b, w]; `real` bool [b, w]."""

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
    """Collects, layer by layer of one forward pass, how much attention misses: -log of the share on what it is told."""

    def __init__(self, batch):
        self.batch, self.losses = batch, {}

    def see(self, layer, query, key):
        """`query`, `key` [b, heads, t, d], rotated."""
        aims = self.batch.aims.get(layer)
        if aims is not None:
            self.losses[layer] = missing(self.batch, aims, query[:, HEAD].float(), key[:, HEAD].float())

    def loss(self):
        return sum(missed.mean() for missed in self.losses.values()) if self.losses else 0.0

    def shares(self):
        """Mean share of attention on what it is told, by layer; still on the device."""
        return {layer: torch.exp(-missed.detach()).mean() for layer, missed in self.losses.items()}


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
