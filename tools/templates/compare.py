"""Compares chat templates as longsight renders them with Jinja2 as transformers sets it up.

    python compare.py TEMPLATES RENDERER

TEMPLATES holds files `*.jinja`, RENDERER is the example `render_template` of crates/models. Each template is rendered with
and without a system turn, with the same named tokens. Exits with 1 where a text differs, or where one of both refuses.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

from transformers.utils.chat_template_utils import render_jinja_template

TURNS = [
    {"role": "user", "content": "What is <there>?\n  And why?  "},
    {"role": "assistant", "content": "A cat's \"tail\" \u2014 \u00e9."},
    {"role": "user", "content": "Where?"},
]
TOKENS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
}


def reference(template, system):
    """Text and error of transformers."""
    system_turn = [] if system is None else [{"role": "system", "content": system}]
    try:
        rendered, _ = render_jinja_template(
            [system_turn + TURNS], chat_template=template, add_generation_prompt=True, **TOKENS
        )
        return rendered[0], None
    except Exception as error:  # whatever a template raises
        return None, f"{type(error).__name__}: {error}"


def verdict(name, ours, theirs):
    """One line, and whether both are alike."""
    (text, error), (expected, refusal) = ours, theirs
    if expected is None and text is None:
        return f"both refuse  {name}: {refusal.splitlines()[0]} | {error}", True
    if expected is None or text is None:
        return f"ONE REFUSES  {name}: transformers {refusal}; longsight {error}", False
    if text == expected:
        return f"equal        {name}", True
    at = next((i for i, (a, b) in enumerate(zip(text, expected)) if a != b), min(len(text), len(expected)))
    return f"DIFFERENT    {name} at {at}: {text[at : at + 60]!r}, transformers {expected[at : at + 60]!r}", False


def main():
    templates = sorted(pathlib.Path(sys.argv[1]).glob("*.jinja"))
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        (work / "turns.json").write_text(json.dumps(TURNS))
        folders = []
        for path in templates:
            folder = work / path.stem
            folder.mkdir()
            (folder / "chat_template.jinja").write_bytes(path.read_bytes())
            (folder / "tokenizer_config.json").write_text(json.dumps(TOKENS))
            folders.append(folder)
        lines = subprocess.run(
            [sys.argv[2], work / "turns.json", *folders], check=True, capture_output=True, text=True
        ).stdout.splitlines()
    alike = 0
    for line in map(json.loads, lines):
        stem = pathlib.Path(line["folder"]).name
        template = next(path for path in templates if path.stem == stem).read_text(encoding="utf-8")
        name = stem if line["system"] is None else f"{stem}, with a system turn"
        text, same = verdict(name, (line["text"], line["error"]), reference(template, line["system"]))
        print(text)
        alike += same
    print(f"{len(templates)} templates: {alike} of {len(lines)} prompts alike")
    sys.exit(alike != len(lines))


main()
