"""What both peers' programs share: their flags, the order of measurements, and the fields that they print."""

import argparse
import json
import time

import memory


def flags(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", required=True, help="checkpoint folder, or GGUF file")
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--stages", default="tower,prefill,decode", help="or whole: frames and prompt, for memory")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--lengths", default="")
    parser.add_argument("--contexts", default="")
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=1)
    args = parser.parse_args()
    args.stages = args.stages.split(",")
    args.lengths, args.contexts = ([int(n) for n in text.split(",") if n] for text in (args.lengths, args.contexts))
    return args


def text_results(args, text):
    """`text.start(tokens)`, `text.prefill(tokens)` and `text.decode(tokens, count)` at every size, smallest first."""
    lengths = args.lengths if "prefill" in args.stages else []
    contexts = args.contexts if "decode" in args.stages else []
    results = []
    for size in sorted({*lengths, *contexts}):
        tokens = max(1, size)
        text.start(tokens + args.new_tokens + 1)
        text.prefill(min(tokens, 16))  # threads and memory are there before the clock starts
        prefill = [rate(tokens, text.prefill, tokens) for _ in range(args.repeats if size in lengths else 1)]
        if size in lengths:
            rates = [per_sec for per_sec, _ in prefill]
            results.append({**result("prefill", size, rates), "next_token": prefill[-1][1]})
        if size in contexts:
            decode = [rate(args.new_tokens, text.decode, tokens, args.new_tokens)[0] for _ in range(args.repeats)]
            results.append(result("decode", size, decode))
    return results


def rate(units, work, *arguments):
    """Units a second, and what the work returned."""
    started = time.perf_counter()
    done = work(*arguments)
    return units / (time.perf_counter() - started), done


def resident_bytes():
    """Before the model is loaded: the interpreter and its libraries. 0 where the system has no /proc."""
    return memory.status_bytes("self", "VmRSS:")


def result(stage, size, per_sec):
    return {"stage": stage, "size": size, "per_sec": {"all": per_sec}}


def report(side, version, args, own_bytes, load_secs, results):
    print(json.dumps({"side": side, "version": version, "dtype": args.dtype, "threads": args.threads,
                      "own_bytes": own_bytes, "load_secs": load_secs, "results": results}))
