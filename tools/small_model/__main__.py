"""`python -m small_model train` and the other parts; see README.md."""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from . import check, decoder, evaluate, export, library, settings, text, tower, world
from .material import Material
from .state import Checkpoint, average, resume

TRAIN_VIDEOS, VALIDATION_VIDEOS = 1000, 100
SCRIPT = dict(duration_secs="32..32", cards="4..8", card_secs="2..4", gap_secs=1, questions_per_video=45,
              kinds="which,what-number,is-there,first,next,which,what-number,next,how-many")
HERE = Path(__file__).parent


def arguments():
    parser = argparse.ArgumentParser(prog="small_model", description=__doc__)
    parser.add_argument("part", choices=("train", "tower", "decoder", "evaluate", "average", "export", "restore", "check"))
    parser.add_argument("--work", type=Path, default=Path("small_model_work"), help="what can be made again")
    parser.add_argument("--longsight", type=Path, default=HERE.parents[1] / "target/release/longsight")
    parser.add_argument("--state", type=Path, default=HERE / "state", help="what git keeps")
    parser.add_argument("--out", type=Path, help="folder of the exported model [default: assets/tiny]")
    parser.add_argument("--of", type=Path, nargs="+", help="with average: copies of decoder.pt, the latest last")
    parser.add_argument("--minutes", type=float, default=110, help="a part ends after so long, and can be resumed")
    parser.add_argument("--tower-steps", type=int, default=4500)
    parser.add_argument("--decoder-steps", type=int, default=6000)
    parser.add_argument("--beta", type=float, help="with export: the model's own end of the ramp, where it is not 32")
    parser.add_argument("--looks", type=int, default=1, help="frames of each card in the library; six times as many of stage 1")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="processes that draw training data")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--tower-batch", type=int, default=72, help="frames")
    parser.add_argument("--batch-tokens", type=int, default=3000, help="of the decoder")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="the decoder's learning rate")
    parser.add_argument("--muon-gain", type=float, default=2.0, help="of that rate, for the matrices inside the layers")
    parser.add_argument("--text-share", type=float, default=0.12, help="of the batches: tables and English")
    parser.add_argument("--counts-share", type=float, default=0.04, help="of the batches: counts of cards that are only told, behind a video")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.part == "average" and not (args.of and all(path.is_file() for path in args.of)):
        parser.error("average: name copies of decoder.pt that exist with --of")
    return args


def tokenizer_of(run):
    """From the state, so that ids never change; learnt anew where there is none."""
    path = run.state / "tokenizer.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        videos = training_videos(run)[:300]
        text.build_tokenizer(videos, run.decoder.vocabulary, np.random.default_rng(run.seed)).save(str(path))
    return Tokenizer.from_file(str(path))


def training_videos(run):
    return world.scripts(run, "scripts", TRAIN_VIDEOS, settings.TRAIN_SEEDS[2], **SCRIPT)


def validation_videos(run):
    return world.scripts(run, "validation", VALIDATION_VIDEOS, settings.VALIDATION_SEEDS[1], **SCRIPT)


def material(run, args, videos):
    frames = library.build(run, tower.load(run), looks=args.looks)
    return Material(run, videos, frames, tokenizer_of(run))


def plan(args, until):
    return decoder.Plan(until, args.decoder_steps, args.rate, args.muon_gain, args.batch_tokens, text_share=args.text_share,
                        counts_share=args.counts_share)


def trained_decoder(run):
    model = decoder.Decoder(run)
    resume(run, "decoder", model)
    return model.eval().to(run.device)


def steps(run):
    return {name: Checkpoint(run.work / f"{name}.pt", model).load()
            for name, model in (("tower", tower.Tower(run.tower)), ("decoder", decoder.Decoder(run)))}


def report_tower(run):
    model = tower.load(run)
    print("drawn frames, right:", tower.evaluate_drawn(run, model))
    print("frames of encoded videos, right:", tower.evaluate_videos(run, model))


def copy_curves(source, target):
    """The loss curves, to the state folder, which git keeps, or back: the decoder's tells the level that it had reached."""
    for curve in source.glob("*_curve.csv"):
        (target / curve.name).write_text(curve.read_text())


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    run = settings.Settings(args.work, args.longsight, args.state, args.seed, args.threads, args.workers, args.device)
    until, out = time.time() + 60 * args.minutes, args.out or HERE.parents[1] / "assets/tiny"
    if args.part in ("train", "tower"):
        tower.train(run, until, args.tower_steps, args.tower_batch)
        report_tower(run)
    if args.part in ("train", "decoder") and time.time() < until:
        decoder.train(run, material(run, args, training_videos(run)), plan(args, until))
    if args.part == "evaluate":
        report_tower(run)
        evaluate.text_table(trained_decoder(run), Material(run, validation_videos(run), None, tokenizer_of(run)))
    if args.part == "average":
        average(args.of, run.work / "decoder.pt")
    if args.part == "restore":
        export.restore(run, out, tower.Tower(run.tower), decoder.Decoder(run))
        copy_curves(run.state, run.work)
    if args.part in ("export", "check"):
        export.export(run, tower.load(run), trained_decoder(run), tokenizer_of(run), out, steps(run), args.beta)
        copy_curves(run.work, run.state)
    if args.part == "check":
        print("same answers, right answers, asked:", check.check(run, out, settings.VALIDATION_SEEDS[2]))


if __name__ == "__main__":
    main()
