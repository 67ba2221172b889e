"""Makes the tiny checkpoints and the golden values of every stage. `--check` compares with what is stored."""

import argparse
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

import chat
import checkpoint
import compare
import stages
from cases import CASES
from tiny_tokenizer import write_json

DATA = Path(__file__).resolve().parents[2] / "crates" / "testkit" / "data" / "goldens"
SETTINGS = ("layout", "dtype", "head_dim", "theta", "image_size", "patch", "grid", "mean", "std", "visual_window",
            "language_window", "alpha", "beta", "pool_mode", "newline", "question", "tied")


def make(case, folder: Path):
    for seed in range(case.first_seed, case.first_seed + 200):
        shutil.rmtree(folder, ignore_errors=True)
        model, tokenizer = checkpoint.write(case, seed, folder / "checkpoint")
        try:
            with torch.no_grad():
                tensors, meta = stages.run(case, model, tokenizer, seed)
            break
        except stages.Unsuitable as reason:
            print(f"{case.name}: seed {seed}: {reason}")
    else:
        raise SystemExit(f"{case.name}: no suitable seed")
    settings = {key: getattr(case, key) for key in SETTINGS}
    meta = {"case": case.name, "seed": seed, **settings, "tokenizer_size": tokenizer.get_vocab_size(),
            **meta, **chat.render(case, tokenizer)}
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, folder / "golden.safetensors")
    write_json(folder / "meta.json", meta)
    moves = {k: v for k, v in meta["margins"].items() if "gap" not in k}
    least = min(moves, key=moves.get)
    gap = min(v for k, v in meta["margins"].items() if "gap" in k)
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    print(f"{case.name}: seed {seed}, least margin {moves[least]:.3f} ({least}), least gap {gap:.1e}, "
          f"{size / 1e6:.1f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="make into a temporary folder and compare")
    parser.add_argument("--only", help="one case by name")
    args = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    cases = [case for case in CASES if args.only in (None, case.name)]
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) if args.check else DATA
        for case in cases:
            make(case, root / case.name)
            if args.check:
                compare.folders(DATA / case.name, root / case.name)
                print(f"{case.name}: as stored")


if __name__ == "__main__":
    main()
