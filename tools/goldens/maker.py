"""Finds a suitable seed for a case, writes its folder and, with `--check`, compares it with what is stored."""

import argparse
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

import compare
from stages import Unsuitable
from tiny_tokenizer import write_json

DATA = Path(__file__).resolve().parents[2] / "crates" / "testkit" / "data" / "goldens"


def make(case, attempt, folder: Path):
    """`attempt(case, seed, folder)` writes the checkpoint and returns the tensors and the meta of one seed."""
    for seed in range(case.first_seed, case.first_seed + 200):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            with torch.no_grad():
                tensors, meta = attempt(case, seed, folder)
            break
        except Unsuitable as reason:
            print(f"{case.name}: seed {seed}: {reason}")
    else:
        raise SystemExit(f"{case.name}: no suitable seed")
    save(folder, tensors, {"case": case.name, "seed": seed, **meta})
    moves = {k: v for k, v in meta["margins"].items() if "gap" not in k}
    least = min(moves, key=moves.get)
    gap = min(v for k, v in meta["margins"].items() if "gap" in k)
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    print(f"{case.name}: seed {seed}, least margin {moves[least]:.3f} ({least}), least gap {gap:.1e}, "
          f"{size / 1e6:.1f} MB")


def save(folder: Path, tensors, meta):
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, folder / "golden.safetensors")
    write_json(folder / "meta.json", meta)


def main(doc, makers):
    """`makers`: by name of the folder, what writes it."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--check", action="store_true", help="make into a temporary folder and compare")
    parser.add_argument("--only", help="one case by name")
    args = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) if args.check else DATA
        for name, make_folder in makers.items():
            if args.only in (None, name):
                make_folder(root / name)
                if args.check:
                    compare.folders(DATA / name, root / name)
                    print(f"{name}: as stored")
