"""Damaged requests to one server: bodies, and bytes that are no HTTP. The server has to answer each in time, stay up, stay small,
and answer a whole request in between as it did at first."""

import json
import socket
import urllib.parse

import damage
from outcome import Tally
from program import HANG_SECS, Server

MEMORY_LIMIT_MIB = 300
WHOLE_EACH = 25


def upload(server, video):
    data = video.read_bytes()
    _, reply = server.call("/v1/uploads", {"filename": video.name, "bytes": len(data)})
    name = json.loads(reply)["id"]
    server.call(f"/v1/uploads/{name}?offset=0", data, "PUT", "application/octet-stream")
    return json.loads(server.call(f"/v1/uploads/{name}/complete", {})[1])["id"]


def whole_requests(file):
    video = [{"type": "video_url", "video_url": {"url": file}}, {"type": "text", "text": "What happens?"}]
    options = {"frames": 2, "context": "vcwe", "pool": "4,2,8"}
    chat = {"model": "tiny", "max_tokens": 2, "temperature": 0, "top_p": 1, "seed": 1, "messages": [{"role": "user", "content": video}]}
    chat["longsight"] = options
    plan = {"video": {"file_id": file}, "question": "What happens?", "longsight": options}
    return [("/v1/chat/completions", chat), ("/v1/plan", plan), ("/v1/uploads", {"filename": "v.mp4", "bytes": 1000, "purpose": "user_data"})]


def damaged_body(body, random):
    """Bytes of a damaged body, and whether a 200 would mean that something was ignored."""
    text = damage.as_bytes(body)
    how = random.choice(["type", "type", "number", "remove", "unknown", "bytes", "bytes", "deep", "long", "twice", "utf8"])
    path = random.choice(damage.leaves(body))
    if how == "type":
        # A message's content may be of several types.
        named = [leaf for leaf in damage.leaves(body) if "messages" not in leaf]
        path = random.choice(named)
        return damage.as_bytes(damage.put(body, path, damage.other_type(damage.get(body, path), random))), True
    if how == "number":
        return damage.as_bytes(damage.put(body, path, damage.other_number(damage.get(body, path), random))), False
    if how == "remove":
        return damage.as_bytes(damage.put(body, path, damage.put)), False
    if how == "unknown":
        return damage.as_bytes(body | {random.choice(["frames", "n_frames", "x" * 300, "\x1b[2J"]): 1}), True
    if how == "deep":
        depth = random.choice([50, 130, 5000, 200_000])
        return text[:-1] + b', "longsight": ' + b"[" * depth + b"]" * depth + b"}", True
    if how == "long":
        return damage.as_bytes(damage.put(body, path, "word " * random.choice([10, 1000, 20_000]))), False
    if how == "twice":
        return text[:-1] + b", " + text[1:], False
    if how == "utf8":
        return text.replace(b': "', b': "\xff', 1), True
    return random.choice(damage.BYTES)(text, random), False


def raw(server, data):
    """Sends bytes as they are; whether an answer or an end came in time."""
    place = urllib.parse.urlsplit(server.url)
    try:
        with socket.create_connection((place.hostname, place.port), timeout=HANG_SECS) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


def raw_request(server, path, body, random):
    host = urllib.parse.urlsplit(server.url).netloc
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return random.choice(damage.BYTES)(head.encode(), random) + body


def one(server, requests, right, seed, number, tally):
    random = damage.rng("request", seed, number)
    path, body = random.choice(requests)
    words = f"request {number} (seed {seed}) to {path}"
    if number % WHOLE_EACH == 0:
        status, reply = server.call(*requests[0])
        same = status == 200 and answer_of(reply) == right
        tally.add("answered" if same else "hang" if status is None else "wrong", f"{words}: whole, status {status}, {reply[:200]!r}")
    elif random.random() < 0.2:
        answered = raw(server, raw_request(server, path, damage.as_bytes(body), random))
        tally.add("refused" if answered else "hang", words)
    else:
        data, ignored = damaged_body(body, random)
        status, reply = server.call(path, data)
        kind = {None: "hang", 0: "refused", 200: "wrong" if ignored else "answered", 429: "refused"}.get(status, "refused")
        if status == 0 and len(data) < 1 << 20 or status == 500:
            kind = "wrong"
        tally.add(kind, f"{words}: status {status} for {data[:200]!r}: {reply[:200]!r}")
    if not server.alive():
        tally.add("crash", f"{words}: the server ended: {''.join(server.tail)[-400:]}")


def answer_of(reply):
    return json.loads(reply)["choices"][0]["message"]["content"]


def run(program, count, seed, pool, folder, clip):
    tally = Tally("damaged requests")
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(program, folder / "uploads", "--no-index", "--max-storage", "1GiB", "--model", "tiny")
    try:
        requests = whole_requests(upload(server, clip))
        right = answer_of(server.call(*requests[0])[1])
        list(pool.map(lambda number: one(server, requests, right, seed, number, tally), range(count)))
        tally.memory_mib = server.memory_mib
        if server.memory_mib >= MEMORY_LIMIT_MIB:
            tally.add("wrong", f"the server took {server.memory_mib:.0f} MiB")
    finally:
        server.stop()
    return [tally.finish()]
