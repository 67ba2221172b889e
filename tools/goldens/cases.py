"""The golden cases. Together they cover what the Rust code has to get right; see README.md."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    # Language model
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    tied: bool
    explicit_head_dim: bool = False
    layers: int = 2
    theta: float = 1e6
    # Tower
    tower_hidden: int = 36
    tower_heads: int = 2
    tower_mlp: int = 70
    tower_layers: int = 2
    image_size: int = 55
    patch: int = 2
    # Files
    layout: str = "hf-published"  # hf5 | hf-published | lmms
    dtype: str = "float32"
    shard_size: str | None = None
    chat_template: str = "space"  # of HF layouts; space | newline: the two published HF variants
    mean: tuple = (0.5, 0.5, 0.5)
    std: tuple = (0.5, 0.5, 0.5)
    # Input and method
    frames: int = 6
    frame_size: tuple = (50, 40)  # width, height
    visual_window: int = 150
    language_window: int = 256
    alpha: float = 1.0
    beta: float = 32.0
    pool_mode: str = "bilinear"  # bilinear | average
    newline: str = "one_token"  # one_token | grid
    question: str = "What happens after the dog jumps?"
    # Greedy tokens of each method, and how far the logits must move, relative (the Rust tests
    # tolerate 1e-4), where a method or a position is wrong.
    new_tokens: int = 20
    margin: float = 1e-2
    # Where the search for suitable weights starts: the seed it found.
    first_seed: int = 0
    # A trained checkpoint in place of seeded weights, below the project's folder; the seed only makes frames then.
    trained: str | None = None

    @property
    def grid(self):
        return self.image_size // self.patch


CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

# Windows are small, so that the few visual tokens of a case exceed them and s > 1 for every method.
SMALL = dict(image_size=19, visual_window=24, language_window=48, frames=9)

CASES = [
    Case("d32-gqa-tied", first_seed=6, hidden=128, heads=4, kv_heads=2, head_dim=32, mlp=144, tied=True, **SMALL),
    Case("d64-mha-sharded", first_seed=10, hidden=128, heads=2, kv_heads=2, head_dim=64, mlp=128, tied=False,
         layout="hf5", shard_size="200KB", chat_template="newline", image_size=43, patch=3, visual_window=48,
         language_window=80, frames=7),
    Case("d128-explicit-bf16", first_seed=63, hidden=48, heads=2, kv_heads=1, head_dim=128, mlp=112, tied=False,
         explicit_head_dim=True, dtype="bfloat16", tower_layers=3, frame_size=(62, 81)),
    Case("d32-explicit-fp16-clip", first_seed=5, hidden=80, heads=3, kv_heads=1, head_dim=32, mlp=96, tied=True,
         explicit_head_dim=True, dtype="float16", theta=1e4, mean=CLIP_MEAN, std=CLIP_STD,
         alpha=0.25, beta=4.0, chat_template="newline", **SMALL),
    Case("d64-lmms-ov", first_seed=7, hidden=128, heads=2, kv_heads=1, head_dim=64, mlp=96, tied=False, layout="lmms",
         dtype="bfloat16", alpha=0.5, beta=8.0, **SMALL),
    Case("video-average", first_seed=14, hidden=64, heads=2, kv_heads=1, head_dim=32, mlp=96, tied=False, layout="lmms",
         pool_mode="average", newline="grid"),
    Case("tiny", trained="assets/tiny", hidden=256, heads=4, kv_heads=2, head_dim=64, mlp=640, tied=True, layers=5,
         theta=1e4, tower_hidden=192, tower_heads=3, tower_mlp=768, tower_layers=4, image_size=126, patch=14,
         dtype="float16", chat_template="newline", frames=5, visual_window=24, language_window=48,
         new_tokens=4, margin=4e-3, question="Describe every card in the video, from the first to the last."),
    Case("video-bilinear", first_seed=31, hidden=64, heads=2, kv_heads=2, head_dim=32, mlp=96, tied=False, layout="lmms",
         newline="grid", **SMALL),
]
