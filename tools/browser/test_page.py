"""The web page of `longsight serve` in a real browser: upload, ask, streamed answer, a moment that seeks the player, reload,
history; on a desktop and on a phone, light and dark. Screenshots lie in target/browser afterwards.

    python3 tools/browser/test_page.py [--longsight target/release/longsight]

Needs chromium and chromedriver, and nothing beyond Python's standard library.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from webdriver import Browser, wait

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
OUT = pathlib.Path("target/browser")


class Server:
    """`longsight serve` with the built-in model, in folders of its own."""

    def __init__(self, longsight, folder):
        flags = ["--port", "0", "--uploads", folder / "uploads", "--index-dir", folder / "index"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LONGSIGHT_")}
        self.process = subprocess.Popen(
            [longsight, "serve", *flags], stderr=subprocess.PIPE, text=True, env=environment | {"LONGSIGHT_MODEL": "tiny"}
        )
        for line in self.process.stderr:
            if found := re.search(r"http://\S+", line):
                self.url = found.group()
                break
        else:
            raise AssertionError("the server ended")

    def __enter__(self):
        # Its log must be read, or the server would wait for it.
        self.log = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(60) == 0, "the server did not end in order"
        self.log.wait(10)


def make_world(longsight, folder):
    """A minute with cards, as a browser plays it, and a question about one of them."""
    flags = "--seed 920778 --videos 1 --duration-secs 60..60 --frame-rates 10 --codecs h264 --cards 4..4 --card-secs 4..5"
    kinds = "--kinds which,what-number --questions-per-video 12 --quiet"
    subprocess.run([longsight, "world", "make", "--out", folder / "world", *flags.split(), *kinds.split()], check=True)
    for line in (folder / "world/questions.jsonl").read_text().splitlines():
        row = json.loads(line)
        if not row["candidates"]:
            return folder / "world" / row["video"], row
    raise AssertionError("the world has no open question")


def ask(browser, question):
    browser.type("#question", question)
    browser.click("#ask")
    wait(lambda: browser.run("return document.querySelectorAll('#moments .seek').length"), "the moments")
    return browser.text("#answer")


def check_width(browser):
    wide = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page is {wide} pixels too wide"


def journey(server, video, row, size, scheme):
    with Browser(*SIZES[size], scheme) as browser:
        browser.open(server.url)
        wait(lambda: browser.run("return document.readyState === 'complete'"), "the page")
        browser.screenshot(OUT / f"{size}-{scheme}-empty.png")
        browser.type("#file-input", str(video.resolve()))
        wait(lambda: "visual token" in browser.text("#plan").lower(), "the plan")
        wait(lambda: browser.run("return document.querySelector('#player').readyState >= 1"), "the player")
        browser.screenshot(OUT / f"{size}-{scheme}-plan.png")
        check_width(browser)
        answer = ask(browser, row["question"])
        assert any(right in answer.lower() for right in row["answers"]), f"{answer!r} is not of {row['answers']}"
        secs = float(browser.run("return document.querySelector('#moments .seek').dataset.secs"))
        begin, end = row["times_secs"][0]
        assert begin - 1 <= secs <= end, f"the moment at {secs} s is not the card's, {begin} to {end} s"
        browser.click("#moments .seek")
        at = "return document.querySelector('#player').currentTime"
        wait(lambda: abs(browser.run(at) - secs) < 0.6, "the player is at the moment", 20)
        browser.screenshot(OUT / f"{size}-{scheme}-answer.png")
        check_width(browser)
        browser.reload()
        wait(lambda: browser.run("return document.querySelectorAll('.history-item').length === 1"), "the history")
        assert row["question"] in browser.text("#history")
        browser.click(".history-item .select")
        wait(lambda: browser.run("return document.querySelectorAll('#moments .seek').length"), "the old moments")
        browser.screenshot(OUT / f"{size}-{scheme}-reloaded.png")
        complaints = [line for line in browser.complaints() if "favicon" not in line]
        assert not complaints, complaints
    print(f"ok: {size}, {scheme}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--longsight", default="target/release/longsight")
    longsight = pathlib.Path(parser.parse_args().longsight).resolve()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        video, row = make_world(longsight, folder)
        with Server(longsight, folder) as server:
            for size in SIZES:
                for scheme in ("light", "dark"):
                    journey(server, video, row, size, scheme)
    print(f"screenshots: {OUT}")


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
