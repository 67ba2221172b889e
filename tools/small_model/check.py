"""The exported folder, asked by transformers and by longsight: the answers must be the same."""

import subprocess

import numpy as np
from tokenizers import Tokenizer

from . import export, world

# longsight's default pooling and context are not transformers': both are set to what transformers can do.
SAME = ("--pool", "uniform,2", "--context", "none", "--fps", "1", "--dtype", "f32", "--threads", "2",
        "--max-new-tokens", "24", "--quiet")


def check(settings, folder, seed, videos=50, questions=2):
    """Returns how many answers agree, of how many, and how many are right."""
    made = world.make(settings, settings.work / f"check-{seed}", videos=videos, duration_secs="12..24", sizes="224x126",
                      frame_rates=1, codecs="h264", seed=seed)
    model, tokenizer = export.load(folder), Tokenizer.from_file(str(folder / "tokenizer.json"))
    same = right = asked = 0
    for video in world.read(made):
        frames = world.read_frames(video.path, world.FOOTAGE_SIZE)
        small = np.stack([world.to_tower(frame, settings.tower.image_side) for frame in frames])
        for row in [row for row in video.questions if not row["candidates"]][:questions]:
            ours = export.ask(model, tokenizer, small, row["question"])
            command = [settings.longsight, "ask", video.path, row["question"], "--model", folder, *SAME]
            theirs = subprocess.run([str(w) for w in command], check=True, capture_output=True, text=True).stdout
            asked, same = asked + 1, same + (ours.strip() == theirs.strip())
            right += ours.strip() in row["answers"]
            print(f"{row['question']} | transformers: {ours!r} | longsight: {theirs.strip()!r} | {row['answers'][0]}")
    return same, right, asked
