"""Progressive and uniform pooling of projected features, and how many frames fit the window."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Pooling:
    """Of every `group` frames the first is pooled with stride `fine`, the others with `coarse`."""

    group: int = 1
    fine: int = 2
    coarse: int = 2

    def strides(self, frames):
        return [self.fine if t % self.group == 0 else self.coarse for t in range(frames)]

    def frame_tokens(self, frames, grid_side):
        return [math.ceil(grid_side / stride) ** 2 for stride in self.strides(frames)]

    def tokens(self, frames, grid_side):
        return sum(self.frame_tokens(frames, grid_side))

    def most_frames(self, window_tokens, grid_side):
        """The most frames whose tokens fit."""
        frames = 0
        while self.tokens(frames + 1, grid_side) <= window_tokens:
            frames += 1
        return frames

    def __str__(self):
        return f"uniform,{self.fine}" if self.group == 1 else f"{self.group},{self.fine},{self.coarse}"


UNIFORM_2, UNIFORM_4, PROGRESSIVE = Pooling(), Pooling(1, 4, 4), Pooling(4, 2, 8)
TRAINED = (UNIFORM_2, UNIFORM_4, PROGRESSIVE)


def pool(projected, pooling):
    """[b, frames, grid^2, hidden] -> [b, tokens, hidden]: bilinear as F.interpolate does, frames in order, row by row."""
    b, frames, patches, hidden = projected.shape
    side = math.isqrt(patches)
    strides = np.array(pooling.strides(frames))
    pooled, at = [], []
    for stride in sorted(set(pooling.strides(frames))):
        out = math.ceil(side / stride)
        chosen = (strides == stride).nonzero()[0]
        grid = projected if len(chosen) == frames else projected[:, chosen]
        grid = grid.flatten(0, 1).transpose(1, 2).unflatten(2, (side, side))
        small = F.interpolate(grid, size=(out, out), mode="bilinear", align_corners=False)
        pooled.append(small.flatten(2).transpose(1, 2).reshape(b, -1, hidden))
        at.append(chosen.repeat(out * out))
    order = torch.from_numpy(np.concatenate(at).argsort(kind="stable"))
    return torch.cat(pooled, dim=1)[:, order.to(projected.device)]
