"""Seeded damage to bytes and to JSON: the same seed gives the same damage."""

import copy
import json
import random


def rng(*parts):
    return random.Random("/".join(map(str, parts)))


def _span(data, random, most):
    length = random.randint(1, max(1, min(most, len(data))))
    start = random.randrange(max(1, len(data) - length + 1))
    return start, start + length


def cut(data, random):
    return data[: random.randrange(len(data))]


def flip(data, random):
    damaged = bytearray(data)
    for _ in range(random.choice([1, 1, 3, 16, 128])):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def flip_head(data, random):
    head = bytearray(data[:512])
    for _ in range(random.choice([1, 2, 8])):
        head[random.randrange(len(head))] = random.randrange(256)
    return bytes(head) + data[512:]


def flip_tail(data, random):
    tail = bytearray(data[-2048:])
    for _ in range(random.choice([1, 2, 8])):
        tail[random.randrange(len(tail))] = random.randrange(256)
    return data[:-2048] + bytes(tail)


def zero(data, random):
    start, end = _span(data, random, 4096)
    return data[:start] + bytes(end - start) + data[end:]


def drop(data, random):
    start, end = _span(data, random, 4096)
    return data[:start] + data[end:]


def insert(data, random):
    at = random.randrange(len(data))
    return data[:at] + random.randbytes(random.choice([1, 4, 188, 4096])) + data[at:]


def repeat(data, random):
    start, end = _span(data, random, 65536)
    return data[:end] + data[start:end] + data[end:]


def swap(data, random):
    start, end = _span(data, random, 4096)
    other = random.randrange(len(data) - (end - start) + 1)
    damaged = bytearray(data)
    piece = damaged[start:end]
    damaged[start:end] = damaged[other : other + len(piece)]
    damaged[other : other + len(piece)] = piece
    return bytes(damaged)


BYTES = [cut, flip, flip_head, flip_tail, zero, drop, insert, repeat, swap]


def leaves(value, path=()):
    """Paths of all values that are neither list nor object, and of empty ones."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [leaf for key, item in inner for leaf in leaves(item, (*path, key))]
    return found or ([path] if path else [])


def get(value, path):
    for key in path:
        value = value[key]
    return value


def put(value, path, new):
    """A copy with `new` at the path; removed where `new` is the function `put` itself."""
    value = copy.deepcopy(value)
    at = get(value, path[:-1])
    if new is put:
        del at[path[-1]]
    else:
        at[path[-1]] = new
    return value


def other_type(old, random):
    """A value of a type that cannot stand where `old` stands."""
    choices = [["a", {}], {"a": []}]
    choices += [7.5] if isinstance(old, str) else ["no such value"]
    return random.choice(choices)


def other_number(old, random):
    if isinstance(old, bool) or not isinstance(old, (int, float)):
        return old
    return random.choice([0, -1, 1, 2**31, 2**63, 1e300, -1e300, old + 1, old * 2, old / 3, 2**64, 0.5])


def as_bytes(value):
    return json.dumps(value).encode()
