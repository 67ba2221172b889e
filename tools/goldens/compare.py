"""Compares two case folders: bytes and integers exactly, floats to what another CPU may change."""

import json

import torch
from safetensors.torch import load_file

FLOAT_TOLERANCE = 1e-5


def folders(stored, made):
    names = [sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()) for root in (stored, made)]
    assert names[0] == names[1], f"files differ: {set(names[0]) ^ set(names[1])}"
    for name in names[0]:
        if name == "meta.json":
            numbers_close(json.loads((stored / name).read_text()), json.loads((made / name).read_text()), name)
        elif name.endswith("/config.json"):
            assert config(stored / name) == config(made / name), f"{stored / name} differs"
        elif name.endswith(".safetensors"):
            tensors_close(load_file(stored / name), load_file(made / name), str(stored / name))
        else:
            assert (stored / name).read_bytes() == (made / name).read_bytes(), f"{stored / name} differs"


def config(path):
    """Apart from the release that wrote it."""
    return json.loads(path.read_text()) | {"transformers_version": None}


def tensors_close(stored, made, where):
    assert stored.keys() == made.keys(), f"{where}: names differ"
    for name, expected in stored.items():
        actual = made[name]
        assert actual.dtype == expected.dtype and actual.shape == expected.shape, f"{where}: {name}"
        if expected.dtype.is_floating_point:
            error = (actual.double() - expected.double()).norm() / expected.double().norm()
            assert error <= FLOAT_TOLERANCE, f"{where}: {name} differs by {error:.1e}"
        else:
            assert torch.equal(actual, expected), f"{where}: {name} differs"


def numbers_close(stored, made, where):
    if isinstance(stored, dict):
        assert stored.keys() == made.keys(), f"{where}: keys differ"
        for key in stored:
            numbers_close(stored[key], made[key], f"{where}: {key}")
    elif isinstance(stored, list):
        assert len(stored) == len(made), f"{where}: length differs"
        for i, (a, b) in enumerate(zip(stored, made)):
            numbers_close(a, b, f"{where}[{i}]")
    elif isinstance(stored, float):
        # Margins are differences of logits, so looser than what the tests compare.
        assert abs(stored - made) <= 1e-3 * max(abs(stored), 1e-3), f"{where}: {stored} against {made}"
    else:
        assert stored == made, f"{where}: {stored} against {made}"
