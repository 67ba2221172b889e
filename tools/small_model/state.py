"""What survives an interruption: checkpoints, loss curves, f16 weights for git."""

import csv
import math

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file


def cosine_with_warmup(step, steps, warmup, start=0):
    """Share of the learning rate: up in `warmup` steps from a part's `start`, whose optimiser may be new, and over all
    parts down a cosine to a tenth.
    """
    share = max(step - warmup, 0) / max(steps - warmup, 1)
    return min((step - start + 1) / warmup, 1.0) * (0.1 + 0.45 * (1 + math.cos(math.pi * min(share, 1.0))))


def descend(optimiser, loss, rate):
    """One step down the gradient, its norm clipped to 1."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], 1.0)
    optimiser.step()


class Checkpoint:
    """A model in a `.pt` file with optimiser and step, or in a `.safetensors` file in f16 (weights alone)."""

    def __init__(self, path, model, optimiser=None):
        self.path, self.model, self.optimiser = path, model, optimiser

    def load(self):
        """The step to go on with; 0 where there is nothing."""
        if not self.path.exists():
            return 0
        if self.path.suffix == ".safetensors":
            weights = {name: tensor.float() for name, tensor in load_file(self.path).items()}
            self.model.load_state_dict(weights)
            with safe_open(self.path, "pt") as file:
                return int(file.metadata()["step"])
        saved = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(saved["model"])
        if self.optimiser is not None:
            self.optimiser.load_state_dict(saved["optimiser"])
        return saved["step"]

    def save(self, step):
        partial = self.path.with_suffix(".part")
        if self.path.suffix == ".safetensors":
            weights = {name: tensor.half().contiguous() for name, tensor in self.model.state_dict().items()
                       if tensor.is_floating_point()}
            save_file(weights, partial, metadata={"step": str(step)})
        else:
            torch.save({"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(), "step": step},
                       partial)
        partial.replace(self.path)


def resume(settings, name, model, optimiser=None):
    """The checkpoint of a part, and the step it had reached: in the work folder, else in what git keeps."""
    checkpoint = Checkpoint(settings.work / f"{name}.pt", model, optimiser)
    step = checkpoint.load()
    if step == 0:
        step = Checkpoint(settings.state / f"{name}.safetensors", model).load()
        kept, curve = (folder / f"{name}_curve.csv" for folder in (settings.state, settings.work))
        if step and not curve.exists():
            curve.write_text(kept.read_text())
    return checkpoint, step


class Curve:
    """A CSV that only grows; a resumed part goes on below."""

    def __init__(self, path):
        self.path = path

    def last(self, name, otherwise):
        """A column's last value."""
        if not self.path.exists():
            return otherwise
        rows = list(csv.DictReader(self.path.open()))
        return rows[-1][name] if rows else otherwise

    def add(self, **row):
        new = not self.path.exists()
        row = {name: f"{value:.4f}" if isinstance(value, float) else value for name, value in row.items()}
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(" ".join(f"{name} {value}" for name, value in row.items()), flush=True)
