"""The SmolVLM2 cases: the published shapes made small; see README.md."""

from dataclasses import dataclass

from cases import Case


@dataclass(frozen=True)
class SmolVLMCase(Case):
    scale: int = 4
    # Of the source; frames are taken every `step` source frames.
    fps: float = 2.0
    step: int = 25
    # preprocessor_config.json: the long side of stills, which transformers also takes for videos where it is
    # given, and the long side it names for videos.
    still_edge: int | None = None
    video_edge: int | None = None

    @property
    def patch_grid(self):
        return self.image_size // self.patch

    @property
    def grid(self):
        """Visual tokens per side after the pixel shuffle: what pooling acts on."""
        return self.patch_grid // self.scale

    @property
    def duration_secs(self):
        return self.frames * self.step / self.fps + 0.4


SMALL = dict(tower_hidden=20, tower_mlp=42, theta=1e4)

# Even sides only: transformers makes an odd one even on the way, so that no frame passes it unchanged.
CASES = [
    SmolVLMCase("smolvlm-256m", first_seed=1, hidden=64, heads=2, kv_heads=1, head_dim=32, mlp=80, tied=True,
                **SMALL, layout="hf5", image_size=48, patch=3, scale=4, frames=5, frame_size=(48, 48), video_edge=48,
                visual_window=8, language_window=40),
    SmolVLMCase("smolvlm-2b", first_seed=29, hidden=48, heads=2, kv_heads=2, head_dim=64, mlp=64, tied=False,
                **SMALL, explicit_head_dim=True, layout="hf5", image_size=46, patch=5, scale=3, frames=6,
                frame_size=(46, 46), still_edge=46, video_edge=92, visual_window=10, language_window=40, fps=29.97,
                step=899, alpha=0.5, beta=8.0),
    SmolVLMCase("smolvlm-500m", first_seed=51, hidden=64, heads=4, kv_heads=2, head_dim=32, mlp=80, tied=False,
                **SMALL, explicit_head_dim=True, layout="hf-published", dtype="bfloat16", image_size=48, patch=3,
                scale=2, frames=5, frame_size=(48, 48), still_edge=48, video_edge=48, visual_window=30,
                language_window=120, tower_layers=3),
]
