"""SIGKILL at any moment: of an upload, an index, a benchmark's run, a quantization, a world in the making. What was said to be
done is there, the same command brings the same result, and nothing unfinished stays."""

import hashlib
import json
import pathlib
import shutil
import threading
import time

import damage
from outcome import Tally
from program import Server, kill

UNFINISHED = (".part", ".part.json", ".tmp", ".quantize", ".incomplete")


def unfinished(folder):
    """Files that a killed program left, by their names."""
    return [path for path in pathlib.Path(folder).rglob("*") if any(mark in path.name for mark in UNFINISHED)]


def digest(folder, skip=()):
    """Of all files below a folder and their names."""
    hashed = hashlib.sha256()
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file() and path.name not in skip:
            hashed.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return hashed.hexdigest()


def killed(program, random, whole_secs, *args):
    """Starts a command and kills it at a random moment of its usual time; whether it was still at work."""
    process = program.start(*args)
    time.sleep(random.uniform(0.02, 1.1 * whole_secs))
    at_work = process.poll() is None
    kill(process)
    process.communicate()
    return at_work


class Kind:
    """A command that is killed and run again. `out` is where it writes."""

    def __init__(self, name, args, result, left=unfinished):
        self.name, self.args, self.result, self.left = name, args, result, left

    def run(self, program, count, seed, folder):
        tally = Tally(f"kills: {self.name}")
        out = folder / f"{self.name}-right"
        began = time.monotonic()
        program.answer(*self.args(out))
        secs, right = time.monotonic() - began, self.result(program, out)
        for number in range(count):
            random = damage.rng("kill", self.name, seed, number)
            out = folder / f"{self.name}-{number}" / "out"
            out.parent.mkdir(parents=True)
            words = f"{self.name} {number} (seed {seed})"
            killed(program, random, secs, *self.args(out))
            if random.random() < 0.5:
                killed(program, random, secs, *self.args(out))
            outcome = program.run(*self.args(out), limit_secs=600)
            found = self.result(program, out) if outcome.code == 0 else None
            if outcome.code == 0 and found == right:
                tally.add("answered")
                shutil.rmtree(out.parent) if not (left := self.left(out.parent)) else tally.add("left", f"{words}: {left[:3]}")
            else:
                tally.add({"hang": "hang", "crash": "crash"}.get(outcome.kind(), "lost"), f"{words}: {outcome.words()}, {found} != {right}")
        return tally.finish()


def upload_once(program, random, folder, video, words, tally):
    """One upload in pieces with the server killed in between; every byte that was acknowledged has to be there."""
    data, uploads = video.read_bytes(), folder / "uploads"
    server = Server(program, uploads, "--no-index", "--model", "tiny")
    name = json.loads(server.call("/v1/uploads", {"filename": "v.mp4", "bytes": len(data)})[1])["id"]
    piece, sent = max(1, len(data) // 4), 0
    stop_at = random.choice(["piece", "complete", "after"])
    while sent < len(data):
        status, _ = server.call(f"/v1/uploads/{name}?offset={sent}", data[sent : sent + piece], "PUT", "application/octet-stream")
        sent += min(piece, len(data) - sent) if status == 200 else 0
        if stop_at == "piece" and random.random() < 0.4:
            break
    completed = None
    if stop_at != "piece" and sent == len(data):
        if stop_at == "complete":
            # The kill comes while the request is at work.
            threading.Timer(random.uniform(0.0, 0.004), kill, [server.process]).start()
        status, reply = server.call(f"/v1/uploads/{name}/complete", {})
        completed = json.loads(reply)["id"] if status == 200 else None
    kill(server.process)
    server = Server(program, uploads, "--no-index", "--model", "tiny")
    try:
        status, reply = server.call(f"/v1/uploads/{name}")
        if status == 200 and completed is None:
            there = json.loads(reply).get("received", 0)
            if there < sent:
                return tally.add("lost", f"{words}: {there} of {sent} acknowledged bytes")
            while there < len(data):
                server.call(f"/v1/uploads/{name}?offset={there}", data[there : there + piece], "PUT", "application/octet-stream")
                there += piece
        status, reply = server.call(f"/v1/uploads/{name}/complete", {})
        file = json.loads(reply).get("id") if status == 200 else completed
        if file is None:
            return tally.add("lost", f"{words}: status {status}, {reply[:200]!r}")
        held = server.call("/v1/plan", {"video": {"file_id": file}, "question": "?"})
        if held[0] != 200:
            return tally.add("lost", f"{words}: the file is not whole: {held[1][:200]!r}")
        server.call(f"/v1/files/{file}", method="DELETE")
        tally.add("answered")
    finally:
        server.stop()
    left = [path for path in uploads.rglob("*") if path.is_file() and path.name != ".lock" and path.stat().st_size]
    if left:
        tally.add("left", f"{words}: {left[:3]}")
    else:
        shutil.rmtree(folder)


def uploads(program, count, seed, folder, video):
    tally = Tally("kills: upload")
    for number in range(count):
        random = damage.rng("kill", "upload", seed, number)
        upload_once(program, random, folder / f"upload-{number}", video, f"upload {number} (seed {seed})", tally)
    return tally.finish()


def answer(program, clip, index):
    """The answer with this index, which has to be read without complaint."""
    flags = ["--frames", "8", "--max-new-tokens", "4", "--quiet", "--json", "--index", "kv", "--index-dir", index]
    found = program.answer("ask", clip, "What happens?", *flags)
    verified = program.run("index", "verify", "--index-dir", index)
    return found["token_ids"], [str(warning) for warning in found["receipt"]["warnings"]], verified.code


def index_left(folder):
    return unfinished(folder)


def run(program, count, seed, folder, clip):
    folder.mkdir(parents=True, exist_ok=True)
    world = folder / "world"
    program.answer("world", "make", "--out", world, "--videos", "2", "--duration-secs", "10..12", "--seed", "3", "--quiet")
    ask = ["--frames", "8", "--threads", "1", "--quiet"]
    kinds = [
        Kind("index", lambda out: ["index", clip, *ask, "--index-dir", out], lambda program, out: answer(program, clip, out)),
        Kind(
            "eval",
            lambda out: ["eval", "world", "--data", world, "--out", out, *ask, "--max-new-tokens", "4"],
            lambda program, out: results(out),
        ),
        Kind(
            "quantize",
            lambda out: ["quantize", "--model", "tiny", "--dtype", "q8_0", "--output", fresh(out), "--quiet"],
            lambda program, out: digest(out),
        ),
        Kind(
            "world",
            lambda out: ["world", "make", "--out", out, "--videos", "2", "--duration-secs", "10..12", "--seed", "5", "--quiet"],
            lambda program, out: digest(out, skip={".lock"}),
        ),
    ]
    each = max(1, count // (len(kinds) + 1))
    return [uploads(program, each, seed, folder, clip), *(kind.run(program, each, seed, folder) for kind in kinds)]


def fresh(out):
    """A whole folder of an earlier try is removed: quantize writes new ones only."""
    shutil.rmtree(out, ignore_errors=True)
    return out


def results(out):
    """Answers and scores of a benchmark's run, without times."""
    records = [json.loads(line) for line in (out / "responses.jsonl").read_text().splitlines()]
    return sorted((record["id"], record["response"], record["score"], record["receipt_digest"]) for record in records)
