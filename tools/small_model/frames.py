"""Single frames for the tower: a card, or none, over the world's footage, as an encoder would leave them."""

import io

import numpy as np
from PIL import Image

from .cards import Painter, every_card, tilted_bounds
from .settings import COLOURS, SHAPES
from .world import to_tower

LABELS = {"there": 2, "plate": len(COLOURS), "shape": len(SHAPES), "shape_colour": len(COLOURS), "tens": 10, "units": 10}
TWO_DIGITS = 0.6  # share of the cards that are of stage 2


class FrameMaker:
    """Seeded: the same seed gives the same frames."""

    def __init__(self, footage, side, seed):
        self.footage, self.side = footage, side
        self.painter = Painter()
        self.cards = [[card for card in every_card() if bool(card.tens) == two] for two in (False, True)]
        self.random = np.random.default_rng(seed)

    def frame(self, card, size=(0.45, 0.75), tilt=20.0):
        """`size` and `tilt` as in the world's settings. Returns uint8 [side, side, 3] and the card's box in it."""
        frame = self.background()
        box = (0, 0, 0, 0)
        if card is not None:
            box = self.lay(frame, card, size, tilt)
        return to_tower(self.compress(frame), self.side), box

    def draw_card(self):
        cards = self.cards[self.random.random() < TWO_DIGITS]
        return cards[self.random.integers(len(cards))]

    def background(self):
        """A footage frame, zoomed, mirrored, its colour channels exchanged: 3,000 frames as they are would be learnt by
        heart, and cards seen in any others.
        """
        frame = np.asarray(self.footage[self.random.integers(len(self.footage))])
        height, width = frame.shape[:2]
        share = self.random.uniform(0.5, 1.0)
        h, w = int(height * share), int(width * share)
        top, left = self.random.integers(height - h + 1), self.random.integers(width - w + 1)
        cut = frame[top:top + h, left:left + w][:, ::self.random.choice((-1, 1)), self.random.permutation(3)]
        return np.array(Image.fromarray(np.ascontiguousarray(cut)).resize((width, height), Image.Resampling.BILINEAR))

    def lay(self, frame, card, size, tilt):
        frame_size = np.array([frame.shape[1], frame.shape[0]], np.float64)
        degrees = self.random.uniform(-tilt, tilt)
        height = self.random.uniform(*size) * min(frame_size[1], frame_size[0] / card.aspect)
        height *= min(1.0, ((frame_size - 2) / tilted_bounds((height * card.aspect, height), degrees)).min())
        bounds = np.array(tilted_bounds((height * card.aspect, height), degrees))
        room = np.maximum((frame_size - bounds) / 2 - 1, 0)
        centre = np.rint(frame_size / 2 + self.random.uniform(-room, room))
        self.painter.lay(frame, card, centre, height, degrees)
        scale = self.side / frame_size
        return (*(centre - bounds / 2) * scale, *(centre + bounds / 2) * scale)

    def compress(self, frame):
        """JPEG blurs colours and edges much as video does (half-resolution chroma, blocks)."""
        quality = int(self.random.integers(25, 90))
        out = io.BytesIO()
        Image.fromarray(frame).save(out, "JPEG", quality=quality, subsampling=2)
        return np.asarray(Image.open(out))

    def batch(self, count, size=(0.45, 0.75), tilt=20.0, empty_share=0.2):
        """Frames uint8 [count, side, side, 3], labels by name [count], boxes [count, 4]."""
        frames, boxes, labels = [], [], {name: np.zeros(count, np.int64) for name in LABELS}
        for i in range(count):
            card = None if self.random.random() < empty_share else self.draw_card()
            frame, box = self.frame(card, size, tilt)
            frames.append(frame)
            boxes.append(box)
            if card is not None:
                labels["there"][i] = 1
                for name in set(LABELS) - {"there"}:
                    labels[name][i] = getattr(card, name)
        return np.stack(frames), labels, np.array(boxes, np.float32)
