"""Runs longsight, transformers and llama.cpp in turn on the same weights, frames and tokens, each in a process of its
own, and writes what was measured. scripts/bench-peers.sh sets everything up and calls this.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import gguf_model
import report
from sides import LLAMA_DTYPES, Failed, Job, Side

PEERS = ("transformers", "llama.cpp")
STAGES = ("tower", "prefill", "decode", "memory")


def numbers(text):
    return [int(part) for part in text.split(",") if part]


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench-peers.sh", description=__doc__)
    parser.add_argument("--shape", choices=("tiny", "0.5b", "7b"), default="0.5b")
    parser.add_argument("--layers", type=int, help="cut tower and decoder to so many layers, for every side")
    parser.add_argument("--tower-layers", type=int, help="cut the tower alone")
    parser.add_argument("--decoder-layers", type=int, help="cut the decoder alone")
    parser.add_argument("--stages", default="tower,prefill,decode", help=f"of {','.join(STAGES)}")
    parser.add_argument("--dtypes", default="bf16", help="longsight's, DTYPE or DTYPE/VISION-DTYPE, comma-separated")
    parser.add_argument("--transformers-dtypes", help="default bf16,f32; bf16 alone for 7b, which takes 30 GB in f32")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--lengths", default="1024,4096,16384", help="prompts to prefill, tokens")
    parser.add_argument("--contexts", default="0,1024,4096,16384", help="tokens in the cache when decoding begins")
    parser.add_argument("--frames", type=int, default=8, help="frames that the tower encodes a round")
    parser.add_argument("--memory-frames", default="64,256", help="frames of the whole runs of stage memory")
    parser.add_argument("--memory-pools", default="4,2,8", help="longsight's pooling there: one --pool, or several with ;")
    parser.add_argument("--new-tokens", type=int, default=32, help="tokens that a measurement of decoding makes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
                        else os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="one short round, to try it; writes nothing in docs")
    parser.add_argument("--label", default="", help="ends the raw file's name: a second run of a day then replaces none")
    parser.add_argument("--report-only", action="store_true", help="write the pages in docs anew from the raw files")
    programs = Path(os.environ.get("CARGO_TARGET_DIR", "target"), "release")
    parser.add_argument("--bench", default=str(programs / "longsight-bench"), help=argparse.SUPPRESS)
    parser.add_argument("--work", default="target/bench", help="folder of weights and other large files")
    args = parser.parse_args()
    args.stages = args.stages.split(",")
    unknown = set(args.stages) - set(STAGES)
    if unknown or args.rounds < 1:
        parser.error(f"no such stage: {', '.join(sorted(unknown))}" if unknown else "--rounds must be at least 1")
    args.lengths, args.contexts, args.memory_frames = map(numbers, (args.lengths, args.contexts, args.memory_frames))
    args.transformers_dtypes = args.transformers_dtypes or ("bf16" if args.shape == "7b" else "bf16,f32")
    if args.quick:
        args.rounds, args.frames, args.new_tokens = 1, 1, 4
        args.lengths, args.contexts, args.memory_frames = [64], [0, 64], [4]
        args.layers = args.layers or 2
    return args


def model_flags(args):
    flags = ["--shape", args.shape, "--work", args.work]
    for name in ("layers", "tower_layers", "decoder_layers"):
        if getattr(args, name):
            flags += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    return flags


def bench(args, *command):
    """What longsight-bench prints."""
    done = subprocess.run([args.bench, "--json", "--threads", str(args.threads), *command], capture_output=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr.decode(errors="replace").strip())
    return json.loads(done.stdout)


def sides(args, checkpoint, roofline):
    """Every side in every dtype, in the order of a round."""
    folder = Path(checkpoint["folder"])
    options = {"bench": args.bench, "model_flags": model_flags(args), "roofline": roofline}
    peers, ours, theirs = args.peers.split(","), args.dtypes.split(","), []
    longsight = [Side("longsight", dtype, args.threads, lambda: folder, options) for dtype in ours]
    if "transformers" in peers:
        of = args.transformers_dtypes.split(",")
        theirs += [Side("transformers", dtype, args.threads, lambda: folder) for dtype in of]
    if "llama.cpp" in peers:
        for dtype in dict.fromkeys(LLAMA_DTYPES.get(d.split("/")[0], "q8_0") for d in ours):
            theirs.append(Side("llama.cpp", dtype, args.threads, gguf(folder, dtype)))
    return longsight + theirs


def gguf(folder, dtype):
    def make():
        out = folder.parent / f"{folder.name}-{dtype}.gguf"
        made = subprocess.run([sys.executable, gguf_model.__file__, str(folder), dtype, str(out)], capture_output=True)
        if made.returncode != 0:
            raise Failed(f"llama.cpp {dtype}: {made.stderr.decode(errors='replace').strip().splitlines()[-1]}")
        return out

    return make


def jobs(args):
    if "tower" in args.stages:
        yield Job("tower", args.frames)
    lengths = args.lengths if "prefill" in args.stages else []
    contexts = args.contexts if "decode" in args.stages else []
    for size in sorted({*lengths, *contexts}):
        yield Job("text", size, size in lengths, size in contexts, args.new_tokens)
    if "memory" in args.stages:
        yield from (Job("whole", frames) for frames in args.memory_frames)


def with_pools(args, all_sides, job):
    """Whole runs of longsight are made with every pooling asked for."""
    for side in all_sides:
        pools = args.memory_pools.split(";") if job.stage == "whole" and side.name == "longsight" else [None]
        for pool in pools:
            yield Side(side.name, side.dtype, side.threads, side.model, {**side.options, "pool": pool})


def run(args, all_sides):
    """(runs, failures): every side in turn, round after round; a side that fails is left out of that stage and size."""
    runs, failures = [], []
    for job in jobs(args):
        taking_part = [side for side in with_pools(args, all_sides, job) if side.does(job)]
        # A whole run's memory does not vary as speed does.
        for round_number in range(1 if job.stage == "whole" else args.rounds):
            for side in list(taking_part):
                say(f"{job.stage} {job.size}, round {round_number + 1}: {side.label}")
                try:
                    output = side.run(job)
                except Failed as failure:
                    say(f"error: {failure}")
                    failures.append({"stage": job.stage, "size": job.size, "error": str(failure)})
                    taking_part.remove(side)
                    continue
                runs.append({"stage": job.stage, "size": job.size, "round": round_number, "side": side.name,
                             "dtype": side.dtype, "pool": side.options.get("pool"), "output": output})
    return runs, failures


def say(text):
    print(f"bench-peers: {text}", file=sys.stderr, flush=True)


def main():
    args = arguments()
    docs = Path("docs/benchmarks")
    if not args.report_only:
        checkpoint = bench(args, "checkpoint", *model_flags(args))
        limits = bench(args, "roofline", *(["--repeats", "1", "--secs", "0.05"] if args.quick else []))
        roofline = Path(args.work, "roofline.json")
        roofline.write_text(json.dumps(limits))
        started = datetime.datetime.now(datetime.timezone.utc)
        runs, failures = run(args, sides(args, checkpoint, str(roofline)))
        result = {"date": started.strftime("%Y-%m-%d"), "system": f"{platform.system()} {platform.release()}",
                  "commit": commit(), "roofline": limits, "shape": checkpoint["shape"], "layers": checkpoint["layers"],
                  "rounds": args.rounds, "threads": args.threads, "runs": runs, "failures": failures,
                  "left_out": [peer for peer in PEERS if peer not in args.peers.split(",")]}
        folder = report.folder_name(result["date"], limits["machine"])
        raw = Path(args.work, "quick") if args.quick else docs / folder
        raw.mkdir(parents=True, exist_ok=True)
        parts = [Path(checkpoint["folder"]).name, *args.stages, *filter(None, [args.label])]
        name = f"{'-'.join(parts)}.json"
        unfinished = raw / f"{name}.part"
        unfinished.write_text(json.dumps(result, indent=1) + "\n")
        unfinished.rename(raw / name)
        print(report.markdown(result))
        say(f"wrote {raw / name}")
    if not args.quick:
        report.write_pages(docs)
        say(f"wrote the pages of {docs}")


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
