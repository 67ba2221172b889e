"""Damaged checkpoints. Damage that the file itself shows (cut short, a tensor gone, another type) has to be refused, told in a
warning, or change nothing; damage that nothing can show (a flipped bit of a weight) has to end without a crash."""

import json
import math
import os
import struct

import damage
from outcome import Tally

FLAGS = ["--frames", "2", "--max-new-tokens", "1", "--threads", "1", "--quiet", "--json", "--logprobs", "all"]


def make(program, assets, folder):
    """Whole checkpoints: the built-in one, and two quantized ones."""
    folders = [assets]
    for dtype in ("q8_0", "q4_0"):
        program.answer("quantize", "--model", assets, "--dtype", dtype, "--output", folder / dtype, "--quiet", "--json")
        folders.append(folder / dtype)
    return folders


def logprobs(outcome):
    answer = json.loads(outcome.out)
    return sorted((entry["id"], entry["logprob"]) for entry in answer["first_token_logprobs"]), answer["receipt"]["warnings"]


def header_of(data):
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def with_header(header, body):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def change_header(data, random):
    """A tensor renamed, removed, of another type or place."""
    header, body = header_of(data)
    name = random.choice([name for name in header if name != "__metadata__"])
    entry, kind = header[name], random.choice(["rename", "remove", "dtype", "place"])
    if kind == "rename":
        header[name + "x"] = header.pop(name)
    elif kind == "remove":
        del header[name]
    elif kind == "dtype":
        entry["dtype"] = random.choice(["BOOL", "I64", "no such type"])
    else:
        entry["data_offsets"] = [entry["data_offsets"][0], len(body) + 8]
    return with_header(header, body)


def not_numbers(data, random):
    """NaN in a tensor of floats."""
    header, body = header_of(data)
    names = [name for name, entry in header.items() if name != "__metadata__" and entry["dtype"] in ("F32", "BF16", "F16")]
    start, end = header[random.choice(names)]["data_offsets"]
    return with_header(header, body[:start] + b"\xff" * (end - start) + body[end:])


def change_json(data, random, new):
    value = json.loads(data)
    path = random.choice(damage.leaves(value))
    return json.dumps(damage.put(value, path, new(damage.get(value, path), random))).encode()


def damaged_file(folder, random):
    """Name, bytes, and whether the damage shows."""
    weights = random.random() < 0.4
    name = "model.safetensors" if weights else random.choice(sorted(path.name for path in folder.glob("*.json")))
    data = (folder / name).read_bytes()
    if weights:
        how, shows = random.choice([(damage.cut, True), (change_header, True), (not_numbers, True), (damage.flip_head, False), (damage.flip, False)])
        return name, how(data, random), shows
    how, shows = random.choice([("type", True), ("cut", True), ("number", False), ("remove", False), ("flip", False)])
    if how == "type":
        return name, change_json(data, random, damage.other_type), shows
    if how == "number":
        return name, change_json(data, random, damage.other_number), shows
    if how == "remove":
        return name, change_json(data, random, lambda old, random: damage.put), shows
    return name, (damage.cut if how == "cut" else damage.flip)(data, random), shows


def one(program, whole, right, clip, folder, seed, number, tally):
    random = damage.rng("checkpoint", seed, number)
    which = random.randrange(len(whole))
    copy = folder / f"checkpoint-{number}"
    copy.mkdir()
    name, data, shows = damaged_file(whole[which], random)
    for path in whole[which].iterdir():
        if path.is_file() and path.name != name:
            os.link(path, copy / path.name)
    (copy / name).write_bytes(data)
    outcome = program.run("ask", clip, "What happens?", "--model", copy, *FLAGS)
    kind, words = outcome.kind(), f"{copy.name} (seed {seed}), {name}: {outcome.words()}"
    if kind == "answered":
        found, warnings = logprobs(outcome)
        if not all(math.isfinite(value) for _, value in found):
            kind, words = "wrong", words + ": the answer holds what is no number"
        elif warnings:
            kind = "warned"
        elif shows and found != right[which]:
            kind, words = "wrong", words + ": another answer, and nothing is said"
    tally.add(kind, words)
    if kind in ("answered", "warned", "refused"):
        for path in copy.iterdir():
            path.unlink()
        copy.rmdir()


def run(program, count, seed, pool, folder, assets, clip):
    tally = Tally("damaged checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / "tiny"
    own.mkdir(exist_ok=True)
    for path in assets.iterdir():
        if path.is_file():
            (own / path.name).write_bytes(path.read_bytes())
    whole = make(program, own, folder)
    right = []
    for checkpoint in whole:
        outcome = program.run("ask", clip, "What happens?", "--model", checkpoint, *FLAGS)
        right.append(logprobs(outcome)[0])
    list(pool.map(lambda number: one(program, whole, right, clip, folder, seed, number, tally), range(count)))
    return [tally.finish()]
