"""The official OpenAI client, unmodified, against `longsight serve`: files, models, chat (streamed and not), an error of each
class.

    python3 tools/clients/test_openai.py [--longsight target/release/longsight]     with the package `openai` installed
"""

import argparse
import os
import pathlib
import re
import subprocess
import tempfile

import openai

KEY = "a-key-of-this-test"


def start(longsight, folder, *flags):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LONGSIGHT_")}
    environment |= {"LONGSIGHT_MODEL": "tiny", "LONGSIGHT_API_KEY": KEY}
    places = ["--port", "0", "--uploads", folder / "uploads", "--index-dir", folder / "index"]
    process = subprocess.Popen([longsight, "serve", *places, *flags], stderr=subprocess.PIPE, text=True, env=environment)
    for line in process.stderr:
        if found := re.search(r"http://\S+", line):
            subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
            return process, found.group()
    raise AssertionError("the server ended")


def make_world(longsight, folder):
    flags = "--seed 920779 --videos 1 --duration-secs 30..30 --frame-rates 1 --sizes 224x126 --codecs h264 --cards 3..3"
    subprocess.run([longsight, "world", "make", "--out", folder / "world", *flags.split(), "--quiet"], check=True)
    return folder / "world/videos/00000.mp4"


def fails(kind, call):
    try:
        call()
    except kind as error:
        assert error.body["message"], error
        return error
    raise AssertionError(f"no {kind.__name__}")


def check(client, base, video):
    models = client.models.list().data
    assert [model.id for model in models] == ["tiny"], models
    assert client.models.retrieve("tiny").owned_by == "longsight"
    file = client.files.create(file=video.open("rb"), purpose="user_data")
    assert file.bytes == video.stat().st_size and [one.id for one in client.files.list()] == [file.id]
    assert client.files.content(file.id).read() == video.read_bytes()
    content = [{"type": "video_url", "video_url": {"url": file.id}}, {"type": "text", "text": "Describe the video."}]
    ask = {"model": "tiny", "messages": [{"role": "user", "content": content}], "temperature": 0}
    whole = client.chat.completions.create(**ask, extra_body={"longsight": {"evidence": True}})
    assert whole.choices[0].finish_reason == "stop" and whole.usage.completion_tokens > 0
    assert whole.longsight["evidence"]["frame_scores"], "our own fields come through"
    stream = client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content, (text, whole.choices[0].message.content)
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens
    fails(openai.BadRequestError, lambda: client.chat.completions.create(**ask, n=2))
    fails(openai.NotFoundError, lambda: client.chat.completions.create(**ask | {"model": "other"}))
    fails(openai.NotFoundError, lambda: client.files.retrieve("file-none"))
    error = fails(openai.AuthenticationError, openai.OpenAI(base_url=base, api_key="wrong").models.list)
    assert error.code == "invalid_api_key", error
    large = {"role": "user", "content": "x" * (2 << 20)}
    fails(openai.APIStatusError, lambda: client.chat.completions.create(model="tiny", messages=[large]))
    assert client.files.delete(file.id).deleted
    print("ok: openai", openai.__version__)


def check_full(base):
    """A queue without places: every question is too many."""
    client = openai.OpenAI(base_url=base, api_key=KEY, max_retries=0)
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PIXEL}}
    messages = [{"role": "user", "content": [part, {"type": "text", "text": "What?"}]}]
    error = fails(openai.RateLimitError, lambda: client.chat.completions.create(model="tiny", messages=messages))
    assert int(error.response.headers["retry-after"]) > 0
    print("ok: 429")


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--longsight", default="target/release/longsight")
    longsight = pathlib.Path(parser.parse_args().longsight).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        video = make_world(longsight, folder)
        for flags, run in [(["--max-body", "1MiB"], True), (["--max-queue", "0"], False)]:
            process, url = start(longsight, folder, *flags)
            try:
                base = f"{url}/v1"
                if run:
                    check(openai.OpenAI(base_url=base, api_key=KEY, max_retries=0), base, video)
                else:
                    check_full(base)
            finally:
                process.terminate()
                process.wait(60)


if __name__ == "__main__":
    main()
