"""Two builds of longsight-bench in turn, round by round; scripts/bench-commits.sh runs it.

A round runs each build once, in its own process; odd rounds begin with the other build. A ratio is taken within a round, so
that a neighbour on the machine who slows both changes little. The interval of the median comes from the order of the ratios
alone (binomial), without a model of the noise.
"""

import argparse
import json
import pathlib
import subprocess
import sys

from report import commits_markdown

FEWEST_ROUNDS = 6  # lowest and highest of 6 hold the median with 96.9%; of 5, with 93.8%


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
    result = {"before": args.before_name, "after": args.after_name, **machine, "rounds": args.rounds, "runs": runs}
    args.report.write_text(json.dumps(result) + "\n")
    print(commits_markdown(result), end="")


if __name__ == "__main__":
    main()
