"""The stress campaign: 1,600 damaged videos, 900 damaged checkpoints, 2,000 damaged requests, 200 kills. Prints the table of
docs/campaign.md; the exit status is not 0 where anything was at fault. Python's standard library only; ffmpeg on the PATH.

    scripts/campaign.sh [--tenth] [--seed N] [--only videos,checkpoints,requests,kills] [--keep FOLDER]

Damage follows from the seed. What failed stays in the folder (`--keep`, else a new temporary one), under a name with its number.
"""

import argparse
import concurrent.futures
import os
import pathlib
import shutil
import sys
import tempfile
import time

import checkpoints
import kills
import outcome
import serving
import videos
from program import Program

COUNTS = {"videos": 1600, "checkpoints": 900, "requests": 2000, "kills": 200}
ASSETS = pathlib.Path(__file__).resolve().parents[2] / "assets" / "tiny"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="path of longsight")
    parser.add_argument("--tenth", action="store_true", help="a tenth of everything: within ten minutes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(COUNTS))
    parser.add_argument("--keep", type=pathlib.Path)
    return parser.parse_args()


def main():
    args = parse()
    folder = args.keep or pathlib.Path(tempfile.mkdtemp(prefix="longsight-campaign-"))
    folder.mkdir(parents=True, exist_ok=True)
    program = Program(str(pathlib.Path(args.program).resolve()), folder)
    counts = {name: count // 10 if args.tenth else count for name, count in COUNTS.items()}
    clip = videos.make(folder / "clips")[0]
    # Unpacks the built-in model, once.
    program.answer("plan", clip, "What happens?", "--model", "tiny", "--json")
    tallies, began = [], time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        parts = {
            "videos": lambda count: videos.run(program, count, args.seed, pool, folder / "videos"),
            "checkpoints": lambda count: checkpoints.run(program, count, args.seed, pool, folder / "checkpoints", ASSETS, clip),
            "requests": lambda count: serving.run(program, count, args.seed, pool, folder / "requests", clip),
            "kills": lambda count: kills.run(program, count, args.seed, folder / "kills", clip),
        }
        for name in args.only.split(","):
            tallies += parts[name](counts[name])
    print(outcome.table(tallies))
    faults = sum(len(tally.faults) for tally in tallies)
    print(f"\n{faults} faults, seed {args.seed}, {(time.monotonic() - began) / 60:.1f} minutes on {os.cpu_count()} cores")
    if faults:
        print(f"what failed is in {folder}")
    elif not args.keep:
        shutil.rmtree(folder)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
