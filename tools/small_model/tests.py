"""`python -m unittest small_model.tests` from tools/: what training relies on, in seconds, without longsight."""

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from transformers import LlavaOnevisionForConditionalGeneration

from . import counting, decoder, export, guidance, pooling, prompts, sequences, text
from .cards import READABLE, Card, Painter, every_card
from .library import Library, timeline
from .material import LEVELS, Batches, Material
from .renaming import renamed
from .settings import COLOURS, SHAPES, DecoderSizes, Settings, TowerSizes
from .state import Checkpoint, Curve, average, drawn
from .tower import Tower, distances, near_card, shifted
from .world import Video

SMALL = Settings(Path(), Path(), Path(), tower=TowerSizes(hidden=48, layers=2, mlp=64),
                 decoder=DecoderSizes(layers=2, mlp=64, vocabulary=400))
QUESTIONS = (
    {"kind": "which", "question": "Which shape is on the red card?", "answers": ["star"], "candidates": [], "gold": None,
     "cards": [0]},
    {"kind": "next", "question": "Which number comes right after the red plate?", "answers": ["3"],
     "candidates": ["1", "3", "5", "7"], "gold": 1, "cards": [0, 1]},
)
VIDEO = Video("", 8, (Card(0, 3, 2, 7), Card(6, 1, 4, 3)), ((1, 2), (4, 5)), QUESTIONS)


def material():
    random = np.random.default_rng(0)
    tokenizer = text.build_tokenizer([VIDEO], SMALL.decoder.vocabulary, random)
    cards = every_card()
    features = torch.from_numpy(random.normal(size=(1, 81, SMALL.tower.hidden))).half().expand(2 * len(cards), -1, -1)
    return Material(SMALL, [VIDEO], Library(features, 1, cards), tokenizer)


def made_batch(made, plan, start):
    """The first batch after `start`, drawn by the only worker."""
    return next(drawn(Batches(made, plan, start), SMALL))


def random_model(module):
    """Weights large enough that attention matters."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.1)
    return module.eval()


class Training(unittest.TestCase):
    @torch.no_grad()
    def test_packed_questions_are_as_if_asked_alone(self):
        made, model = material(), random_model(decoder.Decoder(SMALL))
        plan = pooling.PROGRESSIVE
        visual = model.visual(made.library[torch.arange(6)][None], plan)
        tokens = plan.tokens(6, 9)
        self.assertEqual(visual.shape[1], tokens + 1)

        def hidden(rows):
            made.seed(0)
            sequence = made.packer.of_video([-1] * tokens, rows, prompts.QWEN, made.random)
            return sequence, model.hidden(sequences.stack([sequence]), visual)[0]
        _, alone = hidden(QUESTIONS[1:])
        packed, together = hidden((QUESTIONS[0], QUESTIONS[0]))
        _, first = hidden(QUESTIONS[:1])
        own = [i for i, block in enumerate(packed.blocks) if block == 2]
        torch.testing.assert_close(together[own], first[-len(own):], atol=1e-4, rtol=0)
        self.assertGreater((alone[-1] - first[-1]).abs().max(), 1e-2)

    def test_timeline_shows_every_card_in_order(self):
        random = np.random.default_rng(0)
        for cards, frames in ((1, 2), (8, 8), (5, 16), (8, 200)):
            for _ in range(20):
                seen = timeline(cards, frames, random)
                self.assertEqual(len(seen), frames)
                self.assertEqual([c for i, c in enumerate(seen) if c >= 0 and c not in seen[:i]], list(range(cards)))

    def test_questions_of_an_excerpt_ask_its_own_cards(self):
        made, kinds = material(), set()
        for _ in range(20):
            video = made.excerpt(1)
            kinds.add((video.cards[0].number, tuple(row["kind"] for row in video.questions)))
        self.assertEqual(kinds, {(7, ("which",)), (3, ())})

    def test_questions_follow_the_names(self):
        random, row = np.random.default_rng(0), dict(QUESTIONS[0], kind="how-many", question="How many cards show a star?",
                                                     answers=["7"], candidates=["7", "8"])
        asked = dict(QUESTIONS[1], question="Which coloured shape comes right after the card with a yellow star on it?",
                     answers=["blue square"], candidates=["blue square", "yellow star", "an orange plate"])
        video = replace(VIDEO, questions=(*QUESTIONS, row, asked))
        seen = set()
        for _ in range(50):
            new = renamed(video, random)
            first, second = new.cards
            self.assertTrue(all((card.plate, card.shape_colour) in READABLE for card in new.cards))
            self.assertEqual(new.questions[0]["question"], f"Which shape is on the {COLOURS[first.plate]} card?")
            self.assertEqual(new.questions[0]["answers"], [SHAPES[first.shape]])
            self.assertEqual(new.questions[1]["candidates"][1], str(second.number))
            self.assertEqual(new.questions[2]["question"], f"How many cards show a {SHAPES[first.shape]}?")
            self.assertEqual(new.questions[2]["candidates"], ["7", "8"])
            self.assertIn(text.card_words(first).split(" with ")[1].split(" and ")[0], new.questions[3]["question"])
            self.assertEqual(new.questions[3]["candidates"][0], f"{COLOURS[second.shape_colour]} {SHAPES[second.shape]}")
            seen.add(new.cards)
        self.assertGreater(len(seen), 45)

    def test_answers_by_prompt(self):
        random = np.random.default_rng(0)
        self.assertEqual(prompts.render(QUESTIONS[0], prompts.QWEN, random), ("Which shape is on the red card?", "star"))
        words, answer = prompts.render(QUESTIONS[1], prompts.MLVU_OFFICIAL, random)
        self.assertEqual(answer, "B")
        self.assertIn("Options:\n(A) 1\n(B) 3\n(C) 5\n(D) 7\nOnly give", words)

    def test_when_names_the_part_that_the_frames_show(self):
        random = np.random.default_rng(0)
        rows = [sequences.when(VIDEO, [0, -1, -1, -1, 1, -1, -1, -1, -1], random) for _ in range(40)]
        for row in rows:
            card = 0 if any(word in row["question"] for word in ("7", "star", " red ")) else 1
            self.assertEqual(row["answers"], [("beginning", "middle")[card]])
            if row["candidates"]:
                self.assertIn(row["answers"][0], row["candidates"][row["gold"]])
        self.assertIsNone(sequences.when(replace(VIDEO, cards=VIDEO.cards[:1]), [-1, 0, 0, 0, -1, -1], random))

    def test_answers_point_at_their_cards(self):
        made = material()
        rows = (*QUESTIONS, sequences.describe(VIDEO, made.random))
        sequence = made.packer.of_video([-1, 0, 0, 1], rows, prompts.QWEN, made.random)
        start, points = sequence.visual[0], sequence.points
        self.assertEqual(points.shown[start:start + 5], [-1, 0, 0, 1, -1])
        said = [i for i, label in enumerate(sequence.labels) if label not in (sequences.IGNORED, made.packer.end)]
        key, answer = (dict(points.aims[head]) for head in (guidance.KEY, guidance.ANSWER))
        self.assertEqual([i + 1 for i in key], said)
        cards_said = [[answer[i - 1] for i in said if sequence.blocks[i] == block] for block in (1, 2, 3)]
        self.assertEqual([set(c) for c in cards_said], [{0}, {1}, {0, 1}])
        self.assertEqual({key[i - 1] for i in said if sequence.blocks[i] == 2}, {0})
        self.assertEqual(points.aims[guidance.BEFORE], [(start + 3, 0)])
        counted = counting.how_many(VIDEO, made.random)
        points_of_count = made.packer.of_video([-1, 0, 0, 1], [counted], prompts.QWEN, made.random).points
        looked = [card for _, card in points_of_count.aims[guidance.ANSWER]]
        self.assertEqual(looked, sorted(looked))
        self.assertEqual(set(looked), {0, 1})
        (position, wanted), = points.aims[guidance.OPTION]
        self.assertEqual(sequence.labels[position + 1], made.packer.encode("B")[0])
        option = [i for i, shown in zip(sequence.ids, points.shown) if shown == wanted]
        self.assertRegex(made.packer.tokenizer.decode(option), r"^\(?B[.)] 3\.?$")

    def test_guidance_is_the_share_of_attention(self):
        query, key = torch.zeros(2, 5, 64), torch.randn(2, 5, 64)
        batch = SimpleNamespace(blocks=torch.tensor([[0, 0, 0, 1, 2]] * 2), shown=torch.tensor([[-1, 0, 1, -1, -1]] * 2))
        aims = guidance.Aims.of([[(4, 0), (2, 1)], [(1, 0)]])
        missed = guidance.missing(batch, aims, query, key)
        torch.testing.assert_close(torch.exp(-missed), torch.tensor([1 / 4, 1 / 3, 1 / 2]))  # no question sees another

    def test_a_step_in_batches_is_a_step_alone(self):
        """What is drawn follows from the step; the answers and losses of a batch are those of its sequences."""
        made, model = material(), random_model(decoder.Decoder(SMALL))
        plan = decoder.Plan(0, 100, tokens=2000, questions=3, text_share=0.0, counts_share=0.0)
        batch, rows, pooling = made_batch(made, plan, 40)
        again, same, _ = made_batch(material(), plan, 40)
        self.assertEqual(rows.tolist(), same.tolist())
        self.assertEqual(batch.ids.tolist(), again.ids.tolist())
        self.assertGreater(len(rows), 1)
        with torch.no_grad():
            visual = model.visual(made.library[rows], pooling)
            _, wrong = decoder.answer_loss(model, batch, visual)
            _, masked = decoder.answer_loss(model, replace(batch, places=None), visual)
        torch.testing.assert_close(wrong, masked)
        verdicts = decoder.verdicts(batch, wrong)
        self.assertEqual([v[:2] for v in verdicts], [kind for kinds in batch.kinds for kind in kinds])

    def test_a_table_knows_its_lines(self):
        made = material()
        sequence = made.packer.of_table(VIDEO, QUESTIONS[:1], 5, made.random)
        ids = [[i for i, c in zip(sequence.ids, sequence.points.shown) if c == card] for card in (0, 1)]
        texts = [made.packer.tokenizer.decode(i).strip() for i in ids]
        self.assertEqual(texts, ["- a red plate with a yellow star and the number 7",
                                 "- a white plate with a blue square and the number 3"])

    def test_counts_are_said_aloud(self):
        cards = tuple(Card(0, shape, 4, number) for shape, number in ((3, 7), (7, 12), (3, 40)))
        said = counting.aloud(cards, "shape", "star")
        self.assertEqual(said, "Each star - a blue star with the number 7 on a red plate, star: 1, then a blue ring with the number 12 "
                               "on a red plate, ring: 1, then a blue star with the number 40 on a red plate, star: 2. So 2.")
        self.assertTrue(counting.aloud(cards, None, "card").endswith(": 3. So 3."))
        self.assertEqual(counting.question("plate", "orange", np.random.default_rng(0)).replace("an orange", "orange").count("orange"), 1)

    def test_of_cards_that_are_told_only_the_counts_are_learnt(self):
        made = material()
        batch, rows, _ = made.counts_batch(LEVELS[-1], 2000, 0)
        self.assertEqual(rows.shape[0], len(batch.ids))
        learnt = batch.labels[batch.labels != sequences.IGNORED].tolist()
        self.assertRegex(made.packer.tokenizer.decode(learnt), r"^(([a-z]+\d)*[a-z]+(\d)\3)+$")

    def test_a_count_looks_back_at_what_is_counted(self):
        made = material()
        sequence = made.packer.of_video([-1] * 4, [counting.how_many(VIDEO, np.random.default_rng(0))], prompts.QWEN, made.random)
        points = sequence.points
        text = {s: made.packer.tokenizer.decode([i]).strip() for i, s in zip(sequence.ids, points.shown) if s != -1}
        words = [made.packer.tokenizer.decode([sequence.ids[position]]).strip() for position, _ in points.aims[guidance.MATCH]]
        looks = [text[shown] for _, shown in points.aims[guidance.MATCH]]
        noun = text[guidance.said(1, 1)]
        self.assertEqual(looks, [noun if word == noun else text[guidance.said(1, 0)] for word in words])
        self.assertEqual([text[shown] for _, shown in points.aims[guidance.WORD]], words)
        numbers = [made.packer.tokenizer.decode([sequence.ids[position + 1]]) for position, _ in points.aims[guidance.SO_FAR]]
        self.assertEqual([text[shown] for _, shown in points.aims[guidance.SO_FAR]], [str(int(looks[0] == noun)), numbers[-1]])

    def test_cards_made_alike_can_be_read(self):
        random = np.random.default_rng(0)
        for _ in range(50):
            self.assertTrue(all((c.plate, c.shape_colour) in READABLE for c in counting.alike(VIDEO, random).cards))

    def test_describe(self):
        self.assertEqual(sequences.describe(VIDEO, np.random.default_rng(0))["answers"], [
            "a yellow star with the number 7 on a red plate, then a blue square with the number 3 on a white plate"])


class Pooling(unittest.TestCase):
    def test_pooling_is_transformers(self):
        features = torch.randn(5, 81, 256)
        whole = LlavaOnevisionForConditionalGeneration(decoder.config(SMALL)).model
        expected = whole.apply_pooling(features).reshape(-1, 256)
        torch.testing.assert_close(pooling.pool(features[None], pooling.UNIFORM_2)[0], expected)
        mixed = pooling.pool(features[None], pooling.PROGRESSIVE)[0]
        self.assertEqual(len(mixed), 25 * 2 + 4 * 3)
        torch.testing.assert_close(mixed[25 + 12:], expected[4 * 25:])
        self.assertEqual(pooling.UNIFORM_2.most_frames(800, 9), 32)


class Cards(unittest.TestCase):
    def test_every_card_is_drawn_differently(self):
        painter = Painter()
        drawn = set()
        for card in [card for card in every_card() if (card.plate, card.shape_colour) == READABLE[5]]:
            frame = np.zeros((126, 224, 3), np.uint8)
            painter.lay(frame, card, (112, 63), 80, 5)
            drawn.add(frame.tobytes())
        self.assertEqual(len(drawn), 800)


class Frames(unittest.TestCase):
    def test_a_shifted_card_is_where_its_box_is(self):
        frames, boxes = torch.zeros(6, 126, 126, 3, dtype=torch.uint8), torch.tensor([[40.0, 30, 70, 50]] * 5 + [[0.0] * 4])
        frames[:5, 30:50, 40:70] = 255
        moved, _, at = shifted(frames, {}, boxes, np.random.default_rng(0))
        self.assertEqual(at[5].tolist(), [0] * 4)
        self.assertGreater(len({tuple(box.tolist()) for box in at}), 3)
        for frame, (left, top, right, bottom) in zip(moved[:5], at[:5].int()):
            self.assertEqual(frame.count_nonzero(), 20 * 30 * 3)
            self.assertTrue((frame[top:bottom, left:right] == 255).all())

    def test_patches_are_kept_near_the_card(self):
        far = distances(torch.tensor([[42.0, 42, 84, 84], [0, 0, 0, 0]]), TowerSizes())
        self.assertEqual((far < 1).sum(1).tolist(), [9, 0])
        kept = near_card(far, 36)
        self.assertEqual([len(set(row)) for row in kept.tolist()], [36, 36])
        self.assertGreaterEqual((far[0, kept[0]] < 1).sum(), 9)
        self.assertLess((far[0, kept[0]] < 1.5).sum(), 36)


class State(unittest.TestCase):
    def test_a_curve_takes_columns_that_its_first_rows_lack(self):
        with tempfile.TemporaryDirectory() as work:
            curve = Curve(Path(work) / "curve.csv")
            curve.add(step=20, secs=1.5)
            curve.add(step=40, told=0.5, secs=2.5)
            self.assertEqual(curve.path.read_text().split(), ["step,told,secs", "20,,1.5000", "40,0.5000,2.5000"])

    def test_the_mean_of_checkpoints_keeps_the_step_of_the_last(self):
        with tempfile.TemporaryDirectory() as work:
            model, paths = torch.nn.Linear(2, 1), [Path(work) / f"{step}.pt" for step in (100, 200)]
            for path, value in zip(paths, (1.0, 4.0)):
                torch.nn.init.constant_(model.weight, value)
                Checkpoint(path, model).save(int(path.stem))
            average(paths, Path(work) / "mean.pt")
            self.assertEqual(Checkpoint(Path(work) / "mean.pt", model).load(), 200)
            self.assertEqual(model.weight.tolist(), [[2.5, 2.5]])


class Exported(unittest.TestCase):
    def check_restored(self, run, *models):
        """The exported folder gives the checkpoints back, rounded to f16."""
        again = Tower(run.tower), decoder.Decoder(run)
        export.restore(run, run.work, *again)
        for name, step, old, new in zip(("tower", "decoder"), (3, 5), models, again):
            self.assertEqual(Checkpoint(run.work / f"{name}.pt", new).load(), step)
            weights = new.state_dict()
            for key, tensor in old.state_dict().items():
                if not key.startswith("classifier") and tensor.is_floating_point():
                    torch.testing.assert_close(weights[key], tensor.half().float(), msg=key)

    @torch.no_grad()
    def test_transformers_computes_what_was_trained(self):
        made, model, tower = material(), random_model(decoder.Decoder(SMALL)), random_model(Tower(SMALL.tower))
        tokenizer = made.packer.tokenizer
        run = replace(SMALL, decoder=replace(SMALL.decoder, vocabulary=tokenizer.get_vocab_size()))
        model = random_model(decoder.Decoder(run))
        frames = torch.randint(0, 255, (4, 126, 126, 3), dtype=torch.uint8)
        with tempfile.TemporaryDirectory() as folder:
            export.export(run, tower, model, tokenizer, Path(folder), {"tower": 3, "decoder": 5})
            whole = export.load(Path(folder))
            self.check_restored(replace(run, work=Path(folder)), tower, model)
        tokens = pooling.UNIFORM_2.tokens(4, 9)
        sequence = made.packer.of_video([-1] * tokens, QUESTIONS[:1], prompts.QWEN, made.random)
        for parameter in (*model.parameters(), *tower.parameters()):
            parameter.copy_(parameter.half())
        visual = model.visual(tower(frames)[None], pooling.UNIFORM_2)
        ours = model.logits(model.hidden(sequences.stack([sequence]), visual))
        pixels = (frames.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
        theirs = whole(input_ids=torch.tensor([sequence.ids]), pixel_values_videos=pixels[None]).logits
        torch.testing.assert_close(ours[0, -1], theirs[0, -1], atol=1e-3, rtol=1e-3)


if __name__ == "__main__":
    unittest.main()
