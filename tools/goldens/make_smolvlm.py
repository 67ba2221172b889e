"""Makes the tiny SmolVLM2 checkpoints, the golden values of every stage and the resized frames. `--check` compares."""

from functools import partial

import maker
import smolvlm_checkpoint
import smolvlm_resize
import smolvlm_stages
from smolvlm_cases import CASES

SETTINGS = ("layout", "dtype", "head_dim", "theta", "image_size", "patch", "scale", "patch_grid", "grid", "mean",
            "std", "visual_window", "language_window", "alpha", "beta", "question", "tied")


def attempt(case, seed, folder):
    checkpoint = folder / "checkpoint"
    model, tokenizer = smolvlm_checkpoint.write(case, seed, checkpoint)
    tensors, meta = smolvlm_stages.run(case, model, tokenizer, seed, checkpoint)
    settings = {key: getattr(case, key) for key in SETTINGS}
    return tensors, {**settings, "tokenizer_size": tokenizer.get_vocab_size(), **meta}


if __name__ == "__main__":
    makers = {case.name: partial(maker.make, case, attempt) for case in CASES}
    maker.main(__doc__, {**makers, "smolvlm-resize": smolvlm_resize.make})
