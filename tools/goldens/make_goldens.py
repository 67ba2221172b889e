"""Makes the tiny LLaVA checkpoints and the golden values of every stage. `--check` compares with what is stored."""

from functools import partial

import chat
import checkpoint
import maker
import stages
from cases import CASES

SETTINGS = ("layout", "dtype", "head_dim", "theta", "image_size", "patch", "grid", "mean", "std", "visual_window",
            "language_window", "alpha", "beta", "pool_mode", "newline", "question", "tied")


def attempt(case, seed, folder):
    model, tokenizer = checkpoint.write(case, seed, folder / "checkpoint")
    tensors, meta = stages.run(case, model, tokenizer, seed)
    settings = {key: getattr(case, key) for key in SETTINGS}
    return tensors, {**settings, "tokenizer_size": tokenizer.get_vocab_size(), **meta,
                     **chat.render(case, tokenizer)}


if __name__ == "__main__":
    maker.main(__doc__, {case.name: partial(maker.make, case, attempt) for case in CASES})
