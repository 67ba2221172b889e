"""Part 1: the SigLIP tower, trained to tell what is on a single frame.

Every patch token has to say what card is in the frame, those on the card and those beside it. So the features survive
any pooling, and the decoder has only to bind and compare them.
"""

import itertools
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import IterableDataset, get_worker_info
from transformers import SiglipVisionConfig, SiglipVisionModel

from . import world
from .frames import LABELS, FrameMaker
from .settings import VALIDATION_SEEDS
from .state import Curve, Optimiser, cosine_with_warmup, drawn, mixed, on_device, resume
from .world import footage

VALIDATION_STREAM = 1 << 40  # training draws its frames from the streams of its own steps


def config(sizes):
    return SiglipVisionConfig(
        hidden_size=sizes.hidden, intermediate_size=sizes.mlp, num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads, image_size=sizes.image_side, patch_size=sizes.patch_side,
        vision_use_head=False)


class Tower(nn.Module):
    """The tower with its classifier, which is thrown away after training."""

    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        self.siglip = SiglipVisionModel(config(sizes))
        self.classifier = nn.Linear(sizes.hidden, sum(LABELS.values()))

    def forward(self, frames, kept=None):
        """uint8 [n, side, side, 3] -> [n, grid^2, hidden], the last layer's output before `post_layernorm`; or only of the
        patches `kept` [n, k], as if there were no others.
        """
        pixels = frames.permute(0, 3, 1, 2).float() / 255
        hidden = self.siglip.embeddings((pixels - 0.5) / 0.5)
        if kept is not None:
            hidden = hidden.gather(1, kept[:, :, None].expand(-1, -1, hidden.shape[2]))
        for layer in self.siglip.encoder.layers:
            out = layer(hidden, attention_mask=None)
            hidden = out[0] if isinstance(out, tuple) else out
        return hidden

    def labels(self, features):
        """Logits by name, [..., classes]."""
        return dict(zip(LABELS, self.classifier(features).split(list(LABELS.values()), dim=-1)))


def distances(boxes, sizes):
    """How far every patch's middle is from the card's, where 1 is the edge of the card's box: [n, grid^2]; infinite without
    a card.
    """
    middles = (torch.arange(sizes.grid_side, device=boxes.device) + 0.5) * sizes.patch_side
    x, y = middles.repeat(sizes.grid_side), middles.repeat_interleave(sizes.grid_side)
    left, top, right, bottom = boxes.T[:, :, None]
    across, down = (2 * x - left - right) / (right - left), (2 * y - top - bottom) / (bottom - top)
    return torch.maximum(across.abs(), down.abs()).nan_to_num(nan=torch.inf)


def near_card(distances, count):
    """Patches mostly on and around the card, some further away: [n, count]."""
    drawn = distances.clamp(max=10) * torch.empty_like(distances).uniform_(0.2, 1)
    return drawn.topk(count, dim=1, largest=False).indices


def loss(tower, features, labels, distances):
    """Cross-entropy of every patch; the patches on the card count double."""
    there = labels["there"] == 1
    weight = 1.0 + (distances < 1).float()
    total = 0.0
    for name, logits in tower.labels(features).items():
        target = labels[name][:, None].expand(logits.shape[:2])
        each = F.cross_entropy(logits.float().transpose(1, 2), target, reduction="none")
        used = weight if name == "there" else weight * there[:, None]
        total = total + (each * used).sum() / used.sum()
    return total


@torch.no_grad()
def right(tower, features, labels):
    """How many of a batch's labels are read rightly from the mean of all tokens, the least that pooling can leave."""
    there = labels["there"] == 1
    counts = {}
    for name, logits in tower.labels(features.float().mean(1)).items():
        hit = logits.argmax(-1) == labels[name]
        counts[name] = (hit if name == "there" else hit[there]).sum().item()
    return counts | {"cards": there.sum().item(), "frames": len(there)}


def batch_of(maker, count, **kind):
    frames, labels, boxes = maker.batch(count, **kind)
    return (torch.from_numpy(frames), {name: torch.from_numpy(v) for name, v in labels.items()},
            torch.from_numpy(boxes))


def difficulty(step):
    """Large upright cards first, the world's own sizes and tilts (and a little beyond) from step 1,000 on."""
    share = min(step / 1000, 1.0)
    return {"size": (0.75 - 0.32 * share, 0.95 - 0.17 * share), "tilt": 22.0 * share}


def shifted(frames, labels, boxes, random, most=9):
    """The frames moved by up to `most` pixels, their edges repeated: other patches cut them, and nothing is drawn."""
    padded = np.pad(frames.numpy(), ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    side, moves = frames.shape[1], random.integers(-most, most + 1, size=(len(frames), 2))
    cut = [f[most - y:most - y + side, most - x:most - x + side] for f, (x, y) in zip(padded, moves)]
    moved = boxes + torch.from_numpy(np.tile(moves, 2)).float() * (boxes[:, 2:3] > 0)
    return torch.from_numpy(np.stack(cut)), labels, moved


class Batches(IterableDataset):
    """Training batches from `step` on. Half of a batch is the one before (of the same process), shifted: drawing is slower than
    learning.
    """

    def __init__(self, settings, step, size):
        self.settings, self.step, self.size = settings, step, size

    def __iter__(self):
        info = get_worker_info()
        maker = FrameMaker(footage(self.settings), self.settings.tower.image_side, (self.settings.seed, self.step, info.id))
        last = batch_of(maker, self.size // 2, **difficulty(self.step))
        for step in itertools.count(self.step + info.id, info.num_workers):
            fresh = batch_of(maker, self.size // 2, **difficulty(step))
            (frames, labels, boxes), last = shifted(*last, maker.random), fresh
            yield (torch.cat([fresh[0], frames]), {k: torch.cat([v, labels[k]]) for k, v in fresh[1].items()},
                   torch.cat([fresh[2], boxes]))


def train(settings, until, steps, batch=72, patches=36, rate=1e-3):
    """Trains until `steps` or the clock `until` (time.time()). Goes on where it stopped. Before the last tenth of the steps
    only so many `patches` of a frame are seen: what a card looks like is learnt from more cards in the same time.
    """
    torch.manual_seed(settings.seed)
    tower = Tower(settings.tower).to(settings.device)
    optimiser = Optimiser(tower, rate, "siglip.encoder.layers.", muon_gain=1.5)
    checkpoint, start = resume(settings, "tower", tower, optimiser)
    curve = Curve(settings.work / "tower_curve.csv")
    batches = drawn(Batches(settings, start, batch), settings)
    counts = {}
    for step in range(start, steps):
        began = time.time()
        frames, labels, boxes = on_device(next(batches), settings.device)
        far, kept = distances(boxes, tower.sizes), None
        if step < 0.9 * steps:
            kept = near_card(far, patches)
            far = far.gather(1, kept)
        else:
            frames, labels, far = frames[:batch // 2], {k: v[:batch // 2] for k, v in labels.items()}, far[:batch // 2]
        with mixed(settings.device):
            features = tower(frames, kept)
            value = loss(tower, features, labels, far)
        optimiser.descend(value, rate * cosine_with_warmup(step, steps, 100, start))
        for name, count in right(tower, features, labels).items():
            counts[name] = counts.get(name, 0) + count
        if step % 20 == 19 or step == steps - 1:
            shares = {k: counts[k] / counts["frames" if k == "there" else "cards"] for k in LABELS}
            curve.add(step=step + 1, loss=value.item(), secs=time.time() - began, **shares)
            counts = {}
        out_of_time = time.time() > until
        if step % 100 == 99 or out_of_time or step == steps - 1:
            checkpoint.save(step + 1)
        if out_of_time:
            break
    return tower


def load(settings):
    """The trained tower of the work folder, frozen."""
    tower = Tower(settings.tower)
    resume(settings, "tower", tower)
    return tower.eval().requires_grad_(False).to(settings.device)


def counted(tower, batches):
    """Sums of `right` over batches of frames and labels."""
    counts, device = {}, tower.classifier.weight.device
    for frames, labels in batches:
        frames, labels = on_device((frames, labels), device)
        for name, count in right(tower, tower(frames), labels).items():
            counts[name] = counts.get(name, 0) + count
    return counts


@torch.no_grad()
def evaluate_drawn(settings, tower, frames=1000):
    """Hits on fresh frames drawn as in training, of the world's own sizes and tilts."""
    maker = FrameMaker(footage(settings), settings.tower.image_side, (settings.seed, VALIDATION_STREAM))
    return counted(tower, (batch_of(maker, 50)[:2] for _ in range(frames // 50)))


@torch.no_grad()
def evaluate_videos(settings, tower, videos=24):
    """Hits on every frame of encoded videos of the world, as the product decodes them. Validation seeds."""
    folders = [world.make(settings, settings.work / f"tower-validation-{stage}", videos=videos // 2, duration_secs="20..40",
                          frame_rates=1, stage=stage, seed=VALIDATION_SEEDS[3]) for stage in (1, 2)]
    return counted(tower, (frames_of(settings, video) for folder in folders for video in world.read(folder)))


def frames_of(settings, video):
    """A video's frames, resized, and their labels."""
    images = [world.to_tower(f, settings.tower.image_side) for f in world.read_frames(video.path, (320, 180))]
    seen = [video.card_at(i) for i in range(len(images))]
    labels = {name: torch.tensor([getattr(video.cards[i], name, 1) if i >= 0 else 0 for i in seen]) for name in LABELS}
    return torch.from_numpy(np.stack(images)), labels
