"""Two builds of longsight-bench in turn, round by round; scripts/bench-commits.sh runs it.

A round runs each build once, in its own process; odd rounds begin with the other build. A ratio is taken within a round, so
that a neighbour on the machine who slows both changes little. The interval of the median comes from the order of the ratios
alone (binomial), without a model of the noise.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
from statistics import median

from report import table

FEWEST_ROUNDS = 6  # lowest and highest of 6 hold the median with 96.9%; of 5, with 93.8%


def median_interval(values, confidence=0.95):
    """Lowest and highest value between which the median of the distribution lies with at least `confidence`."""
    ordered, n = sorted(values), len(values)
    below, cut = 0.0, 0
    while cut < n // 2:
        below += math.comb(n, cut) / 2**n
        if 2 * below > 1 - confidence:
            break
        cut += 1
    return ordered[max(cut - 1, 0)], ordered[min(n - cut, n - 1)]


def measure(program, dtype, flags):
    """{(stage, size): units a second} of one process."""
    command = [program, "stages", "--json", "--repeats", "1", "--dtype", dtype, *flags]
    output = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {(entry["stage"], entry["size"]): entry["per_sec"]["median"] for entry in output["results"]}, output


def rounds(args):
    runs, machine = [], None
    for number in range(args.rounds):
        for dtype in args.dtypes.split(","):
            sides = [("before", args.before), ("after", args.after)]
            pair = {}
            for side, program in sides[:: -1 if number % 2 else 1]:
                pair[side], output = measure(program, dtype, args.flags)
                machine = {key: output[key] for key in ("machine", "shape", "layers")}
            runs += [{"round": number, "dtype": dtype, "stage": stage, "size": size, "before": rate, "after": pair["after"][stage, size]}
                     for (stage, size), rate in pair["before"].items()]
            print(f"round {number + 1} of {args.rounds}, {dtype}: done", file=sys.stderr, flush=True)
    return runs, machine


def rows(runs):
    found = []
    for key in dict.fromkeys((run["stage"], run["size"], run["dtype"]) for run in runs):
        of = [run for run in runs if (run["stage"], run["size"], run["dtype"]) == key]
        ratios = [run["after"] / run["before"] for run in of]
        lowest, highest = median_interval(ratios)
        found.append([f"{key[0]}, {key[1]}", key[2], f"{median(run['before'] for run in of):.2f}",
                      f"{median(run['after'] for run in of):.2f}", f"{median(ratios):.3f}", f"{lowest:.3f} to {highest:.3f}"])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", required=True)
    parser.add_argument("--before-name", required=True)
    parser.add_argument("--after", required=True)
    parser.add_argument("--after-name", required=True)
    parser.add_argument("--report", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--dtypes", default="int8,q8_0,bf16")
    parser.add_argument("flags", nargs="*", help="of longsight-bench stages")
    args = parser.parse_args()
    if args.rounds < FEWEST_ROUNDS:
        parser.error(f"--rounds {args.rounds}: an interval of 95% needs at least {FEWEST_ROUNDS} rounds")
    args.flags = args.flags or ["--shape", "0.5b", "--layers", "4", "--frames", "4", "--lengths", "1024", "--contexts", "1024"]
    runs, machine = rounds(args)
    args.report.write_text(json.dumps({"before": args.before_name, "after": args.after_name, **machine, "rounds": args.rounds, "runs": runs}, indent=1))
    heads = ["stage, size", "dtype", f"{args.before_name}, a second", f"{args.after_name}, a second", "median of ratios", "95% interval"]
    print(f"{machine['machine']['cpu']}, {machine['machine']['threads']} threads, {args.rounds} rounds\n")
    print("\n".join(table(heads, rows(runs))))


if __name__ == "__main__":
    main()
