"""Load on `longsight serve` with the built-in model: mixed requests at a fixed concurrency, resident memory before and after,
latencies. Prints Markdown.

    python3 tools/clients/load.py [--longsight target/release/longsight] [--requests 200] [--concurrency 16]
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request


def start(longsight, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LONGSIGHT_")}
    places = ["--port", "0", "--uploads", folder / "uploads", "--index-dir", folder / "index"]
    process = subprocess.Popen(
        [longsight, "serve", *places], stderr=subprocess.PIPE, text=True, env=environment | {"LONGSIGHT_MODEL": "tiny"}
    )
    for line in process.stderr:
        if found := re.search(r"http://\S+", line):
            subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
            return process, found.group()
    raise AssertionError("the server ended")


def call(url, body=None, kind="application/json", method=None):
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": kind} if data else {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=300) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def upload(url, video):
    data = video.read_bytes()
    status, reply = call(f"{url}/v1/uploads", {"filename": video.name, "bytes": len(data)})
    assert status == 200, reply
    id = json.loads(reply)["id"]
    status, reply = call(f"{url}/v1/uploads/{id}?offset=0", data, "application/octet-stream", "PUT")
    assert status == 200, reply
    status, reply = call(f"{url}/v1/uploads/{id}/complete", {})
    assert status == 200, reply
    return json.loads(reply)["id"]


def question(file, words, stream, frames):
    content = [{"type": "video_url", "video_url": {"url": file}}, {"type": "text", "text": words}]
    options = {"frames": frames, "evidence": stream}
    return {"model": "tiny", "stream": stream, "messages": [{"role": "user", "content": content}], "longsight": options}


def requests(url, files, count, seed):
    """What is sent: questions streamed and not, plans, lists, metrics, and some that must be refused."""
    draw = random.Random(seed)
    for i in range(count):
        file = draw.choice(files)
        kind = draw.choices(["ask", "stream", "plan", "list", "metrics", "bad"], [35, 25, 15, 10, 10, 5])[0]
        if kind in ("ask", "stream"):
            body = question(file, f"What number is on card {i % 7}?", kind == "stream", draw.choice([16, 32, 64]))
            yield kind, f"{url}/v1/chat/completions", body
        elif kind == "plan":
            yield kind, f"{url}/v1/plan", {"video": {"file_id": file}}
        elif kind == "bad":
            yield kind, f"{url}/v1/chat/completions", {"model": "tiny", "messages": []}
        else:
            yield kind, f"{url}/metrics" if kind == "metrics" else f"{url}/v1/files", None


def rss_kib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


def run(url, files, settings, seed):
    def one(request):
        kind, address, body = request
        began = time.monotonic()
        status, reply = call(address, body)
        if kind == "stream" and status == 200 and b"data: [DONE]" not in reply:
            status = 0
        return kind, status, time.monotonic() - began

    with concurrent.futures.ThreadPoolExecutor(settings.concurrency) as pool:
        return list(pool.map(one, requests(url, files, settings.requests, seed)))


def report(outcomes, before, after):
    by_kind = collections.defaultdict(list)
    for kind, status, secs in outcomes:
        by_kind[kind].append((status, secs))
    print("| request | sent | statuses | p50 s | p99 s |\n| --- | --- | --- | --- | --- |")
    for kind, rows in sorted(by_kind.items()):
        statuses = collections.Counter(status for status, _ in rows)
        good = sorted(secs for status, secs in rows if status == 200) or [float("nan")]
        at = lambda share: good[min(len(good) - 1, int(share * len(good)))]
        shown = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
        print(f"| {kind} | {len(rows)} | {shown} | {at(0.5):.2f} | {at(0.99):.2f} |")
    print(f"\nResident memory: {before / 1024:.1f} MiB before, {after / 1024:.1f} MiB after ({100 * (after / before - 1):+.1f}%).")
    wrong = [o for o in outcomes if o[1] not in ((400,) if o[0] == "bad" else (200, 429))]
    assert not wrong, wrong[:3]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--longsight", default="target/release/longsight")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--concurrency", type=int, default=16)
    settings = parser.parse_args()
    longsight = pathlib.Path(settings.longsight).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        flags = "--seed 920780 --videos 3 --duration-secs 60..120 --frame-rates 2 --sizes 224x126 --codecs h264 --quiet"
        subprocess.run([longsight, "world", "make", "--out", folder / "world", *flags.split()], check=True)
        process, url = start(longsight, folder)
        try:
            files = [upload(url, video) for video in sorted((folder / "world/videos").iterdir())]
            run(url, files, settings, 1)  # so that what stays allocated once is there before it is measured
            before = rss_kib(process)
            outcomes = run(url, files, settings, 2)
            time.sleep(1)
            report(outcomes, before, rss_kib(process))
        finally:
            process.terminate()
            assert process.wait(60) == 0, "the server did not end in order"


if __name__ == "__main__":
    main()
