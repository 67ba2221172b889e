"""Every number of the model, its windows and its training data, in one place."""

from dataclasses import dataclass, field
from pathlib import Path

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
SHAPES = ("circle", "square", "triangle", "star", "cross", "diamond", "heart", "ring")

# Seeds of `longsight world make`. Nothing is ever trained or tuned on the test range; what is chosen (beta, when to
# stop) is chosen on the validation range.
TRAIN_SEEDS = range(910_000, 920_000)
VALIDATION_SEEDS = range(920_000, 930_000)
TEST_SEEDS = range(930_000, 940_000)


@dataclass(frozen=True)
class TowerSizes:
    """A SigLIP tower: 126 pixels in patches of 14 give a 9 x 9 grid, so strides 2, 4 and 8 give 25, 9 and 4 tokens."""

    image_side: int = 126
    patch_side: int = 14
    hidden: int = 192
    layers: int = 4
    heads: int = 3
    mlp: int = 768

    @property
    def grid_side(self):
        return self.image_side // self.patch_side


@dataclass(frozen=True)
class DecoderSizes:
    """A Qwen2 decoder. See README.md for why the window is 1,000 tokens at theta 1e4."""

    hidden: int = 256
    layers: int = 5
    heads: int = 4
    kv_heads: int = 2
    mlp: int = 640
    theta: float = 1e4
    visual_window_tokens: int = 1000
    language_window_tokens: int = 2048
    vocabulary: int = 1024


@dataclass(frozen=True)
class Settings:
    """What a run needs to know. `work` holds what can be made again; `state` is what git keeps."""

    work: Path
    longsight: Path
    state: Path
    seed: int = 1
    threads: int = 2
    workers: int = 1  # processes that draw training data
    device: str = "cpu"  # or cuda
    tower: TowerSizes = field(default_factory=TowerSizes)
    decoder: DecoderSizes = field(default_factory=DecoderSizes)
