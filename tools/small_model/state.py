"""What survives an interruption: checkpoints and loss curves. The weights that git keeps are the exported model's."""

import csv
import math
from dataclasses import fields, is_dataclass, replace

import torch
from torch.utils.data import DataLoader


def cosine_with_warmup(step, steps, warmup, start=0):
    """Share of the learning rate: up in `warmup` steps from a part's `start`, whose optimiser may be new, and over all
    parts down a cosine to a tenth.
    """
    share = max(step - warmup, 0) / max(steps - warmup, 1)
    return min((step - start + 1) / warmup, 1.0) * (0.1 + 0.45 * (1 + math.cos(math.pi * min(share, 1.0))))


def mixed(device):
    """Autocast to bf16 where the device multiplies it natively; elsewhere it is far slower than f32."""
    return torch.autocast(device, torch.bfloat16, enabled=device == "cuda" or torch.cpu._is_avx512_bf16_supported())


def on_device(part, device):
    """All tensors of a batch on the device; what is no tensor stays."""
    if isinstance(part, torch.Tensor):
        return part.to(device, non_blocking=True)
    if isinstance(part, dict):
        return {name: on_device(value, device) for name, value in part.items()}
    if isinstance(part, (tuple, list)):
        return type(part)(on_device(value, device) for value in part)
    if is_dataclass(part):
        return replace(part, **{f.name: on_device(getattr(part, f.name), device) for f in fields(part)})
    return part


def drawn(dataset, settings):
    """Batches of an IterableDataset, drawn beside the training by processes of their own, in an order that only their number
    can change.
    """
    return iter(DataLoader(dataset, batch_size=None, num_workers=settings.workers, prefetch_factor=2))


class Muon(torch.optim.Optimizer):
    """Muon (Jordan 2024) with steps of AdamW's size (arXiv 2502.16982). torch.optim.Muon is the same in bf16, which old
    machines lack, one matrix at a time; here matrices of one shape go together.
    """

    def __init__(self, matrices, lr, momentum=0.95, weight_decay=0.02):
        shapes = {}
        for matrix in matrices:
            shapes.setdefault(tuple(matrix.shape), []).append(matrix)
        super().__init__([{"params": group} for group in shapes.values()],
                         {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]  # the projector has none where there is only text
            if not parameters:
                continue
            for p in parameters:
                self.state[p].setdefault("momentum", torch.zeros_like(p)).lerp_(p.grad, 1 - group["momentum"])
            updates = torch.stack([p.grad.lerp(self.state[p]["momentum"], group["momentum"]) for p in parameters])
            size = group["lr"] * 0.2 * max(updates.shape[1:]) ** 0.5
            for p, update in zip(parameters, orthogonal(updates)):
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=size)


def orthogonal(matrices, iterations=5):
    """[n, rows, columns] with singular values near 1, by Newton and Schulz's iteration with Jordan's coefficients."""
    upright = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if upright else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x.mT if upright else x


class Optimiser:
    """Muon for the matrices inside the layers, AdamW for the rest; Muon's steps are scaled to AdamW's size. On the tower it
    leaves the slow start, in which shapes and digits are at chance, early.
    """

    def __init__(self, model, rate, inner, muon_gain=1.0):
        """`inner`: beginnings of the names of the matrices that Muon takes, at `muon_gain` times the learning rate."""
        self.gains = (muon_gain, 1.0)
        matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and name.startswith(inner)]
        taken = {id(p) for p in matrices}
        rest = [p for p in model.parameters() if id(p) not in taken]
        self.parts = (
            Muon(matrices, rate),
            torch.optim.AdamW(rest, lr=rate, weight_decay=0.02, betas=(0.9, 0.98)))
        self.parameters = matrices + rest

    def descend(self, loss, rate):
        """One step down the gradient, its norm clipped to 1."""
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for part, gain in zip(self.parts, self.gains):
            for group in part.param_groups:
                group["lr"] = rate * gain
            part.step()
            part.zero_grad()

    def state_dict(self):
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, saved):
        for part, state in zip(self.parts, saved):
            part.load_state_dict(state)


class Checkpoint:
    """A model with its optimiser and step in a `.pt` file."""

    def __init__(self, path, model, optimiser=None):
        self.path, self.model, self.optimiser = path, model, optimiser

    def load(self):
        """The step to go on with; 0 where there is nothing."""
        if not self.path.exists():
            return 0
        saved = torch.load(self.path, weights_only=True, map_location="cpu")
        self.model.load_state_dict(saved["model"])
        if self.optimiser is not None and "optimiser" in saved:
            self.optimiser.load_state_dict(saved["optimiser"])
        return saved["step"]

    def save(self, step):
        partial = self.path.with_suffix(".part")
        saved = {"model": self.model.state_dict(), "step": step}
        if self.optimiser is not None:
            saved["optimiser"] = self.optimiser.state_dict()
        torch.save(saved, partial)
        partial.replace(self.path)


def average(paths, into):
    """The mean of checkpoints of one part, with the last one's step and optimiser: what the last steps' noise leaves."""
    saved = [torch.load(path, weights_only=True, map_location="cpu") for path in paths]
    mean = {name: sum(one["model"][name].double() for one in saved).div(len(saved)).to(tensor.dtype)
            for name, tensor in saved[-1]["model"].items()}
    partial = into.with_suffix(".part")
    torch.save(saved[-1] | {"model": mean}, partial)
    partial.replace(into)


def resume(settings, name, model, optimiser=None):
    """The checkpoint of a part, and the step it had reached."""
    checkpoint = Checkpoint(settings.work / f"{name}.pt", model, optimiser)
    return checkpoint, checkpoint.load()


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
        row = {name: f"{value:.4f}" if isinstance(value, float) else value for name, value in row.items()}
        rows = list(csv.DictReader(self.path.open())) if self.path.exists() else []
        columns = dict.fromkeys([*row, *(rows[0] if rows else ())])  # a later part may know of more
        partial = self.path.with_suffix(".part")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows([*rows, row])
        partial.replace(self.path)
        print(" ".join(f"{name} {value}" for name, value in row.items()), flush=True)
