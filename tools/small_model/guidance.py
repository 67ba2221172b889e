"""Shows attention where to look while it learns.

Finding a card by one of its marks is a circuit of several layers that forms only once all of its parts are there; from the
answers alone that takes many thousands of steps. So the first head of three layers is told: in `BEFORE_LAYER` a card's
tokens should look at the card before it, in `KEY_LAYER` an answer's tokens at the cards that the question names, in
`ANSWER_LAYER` at the card that has the answer. Used in training only: the model is an ordinary Qwen2.
"""

from dataclasses import dataclass, field

import torch

BEFORE_LAYER, KEY_LAYER, ANSWER_LAYER = 1, 2, 3
HEAD = 0
BEFORE_TOKENS = 64  # of each sequence, drawn: all of them would cost as much as the layer


@dataclass
class Points:
    """Where the tokens of one sequence should look. `cards`: for each token of the prefix the card that it shows, or -1;
    `key` and `answer`: (position, card) of the tokens that say the answer.
    """

    cards: list
    key: list = field(default_factory=list)
    answer: list = field(default_factory=list)

    def before(self):
        """(position, card) of tokens that show a card, evenly drawn, and the card before theirs."""
        later = [(i, card - 1) for i, card in enumerate(self.cards) if card > 0]
        return later[::-(-len(later) // BEFORE_TOKENS) or 1]

    def of_layer(self, layer):
        return {BEFORE_LAYER: self.before, KEY_LAYER: lambda: self.key, ANSWER_LAYER: lambda: self.answer}[layer]()


def point(row, positions, segments, points):
    """Adds the tokens at `positions`, which say the answer of a row; `segments`: how many cards of a list come before each."""
    cards = row["cards"]
    for position, segment in zip(positions, segments):
        if row["kind"] == "describe":
            named, answering = [cards[segment]], cards[segment]
        elif not cards:
            continue
        elif row["kind"] in ("first", "how-many"):
            named, answering = cards, cards[0]
        else:
            named, answering = cards[:1], cards[-1]
        points.key += [(position, card) for card in named]
        if row["kind"] != "how-many":
            points.answer.append((position, answering))


class Guide:
    """Collects, layer by layer of one forward pass, how much attention misses the cards: -log of the share on them."""

    def __init__(self, sequences, may_see):
        self.points, self.may_see = [sequence.points for sequence in sequences], may_see[:, 0]
        self.losses = {}

    def see(self, layer, query, key):
        """`query`, `key` [b, heads, t, d], rotated."""
        if layer not in (BEFORE_LAYER, KEY_LAYER, ANSWER_LAYER):
            return
        missed = [missing(points.cards, wanted, query[row, HEAD].float(), key[row, HEAD].float(), self.may_see[row])
                  for row, points in enumerate(self.points) if (wanted := points.of_layer(layer))]
        if missed:
            self.losses[layer] = torch.cat(missed)

    def loss(self):
        return sum(missed.mean() for missed in self.losses.values()) if self.losses else torch.zeros(())

    def shares(self):
        """Mean share of attention on the cards, by layer."""
        return {layer: torch.exp(-missed.detach()).mean().item() for layer, missed in self.losses.items()}


def missing(cards, wanted, query, key, may_see):
    """-log of the share of attention on the wanted cards, for one head of one sequence: query, key [t, d]."""
    positions, aims = torch.tensor(wanted).T
    logits = query[positions] @ key.T / query.shape[-1] ** 0.5
    logits = logits.masked_fill(~may_see[positions], float("-inf"))
    on_card = torch.tensor(cards) == aims[:, None]
    found = logits[:, :len(cards)].masked_fill(~on_card, float("-inf"))
    return torch.logsumexp(logits, -1) - torch.logsumexp(found, -1)
