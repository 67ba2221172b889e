"""What the decoder is trained on: batches of videos, tables and plain English, of a curriculum's levels."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from . import counting, library, prompts, sequences
from .pooling import TRAINED
from .renaming import renamed


COUNTS = 40  # on told cards, behind a video
ALIKE = 0.2  # of the videos: those with many cards of a kind, on which only counts and descriptions are asked


@dataclass(frozen=True)
class Level:
    """Least and most cards and frames of a video, and the share of multiple choice: its prompts are far longer than
    open questions, and teach nothing before cards are found. `begins`: at which share of the steps.
    """

    cards: tuple
    frames: tuple
    choices: float
    begins: float


LEVELS = (Level((2, 3), (3, 6), 0.0, 0.0), Level((2, 5), (5, 12), 0.2, 0.1), Level((2, 6), (6, 24), 0.3, 0.2),
          Level((2, 8), (12, 40), 0.3, 0.3), Level((3, 8), (16, 1000), 0.3, 0.45))


class Material:
    """Draws batches: videos of a level, tables, plain English."""

    def __init__(self, settings, videos, frames, tokenizer):
        self.settings, self.videos, self.library = settings, videos, frames
        self.packer = sequences.Packer(tokenizer)
        self.seed(settings.seed)

    def seed(self, *seed):
        """What is drawn from here on follows from the seed."""
        self.random = np.random.default_rng(seed)

    def excerpt(self, cards):
        """Some cards in a row of some video, with the questions that they answer; of those on no card ("Is there ...?" "no")
        a like share.
        """
        video = self.videos[self.random.integers(len(self.videos))]
        cards = min(cards, len(video.cards))
        start = int(self.random.integers(len(video.cards) - cards + 1))
        kept = range(start, start + cards)
        share = cards / len(video.cards)
        rows = [row | {"cards": [card - start for card in row["cards"]]} for row in video.questions
                if all(card in kept for card in row["cards"]) and (row["cards"] or self.random.random() < share)]
        return replace(video, cards=video.cards[start:start + cards], questions=tuple(rows))

    def drawn(self, cards):
        """Some cards of some video under other names; now and then alike, for counting, without the script's questions."""
        video = renamed(self.excerpt(cards), self.random)
        return counting.alike(video, self.random) if self.random.random() < ALIKE else video

    def questions(self, video, count, choices=0.5, seen=None):
        """Rows of the script, shuffled; mostly a description, and parts of the video where it is one. Counts
        are made anew, since the script's are not said aloud.
        """
        kept = [row for i in self.random.permutation(len(video.questions))
                if (row := video.questions[i])["kind"] != "how-many" or row["candidates"]]
        closed = [row for row in kept if row["candidates"]][:round(choices * count)]
        first = [sequences.describe(video, self.random)] if self.random.random() < 0.7 else []
        if not kept:
            return first + [counting.how_many(video, self.random) for _ in range(count // 2)]
        if seen is not None and len(seen) >= 6:
            first += [row for _ in range(2) if (row := sequences.when(video, seen, self.random))]
        first += [counting.how_many(video, self.random)]
        first += [row for _ in range(count // 3) if (row := sequences.one_card(video, self.random))] + closed
        return (first + [row for row in kept if not row["candidates"]])[:count]

    def draw_video(self, level, pooling, frames, ask, template=None):
        """A sequence, and the library's row of each frame. `ask`: the questions on a video and what is seen of it."""
        least, most = level.cards
        video = self.drawn(int(self.random.integers(min(least, frames), min(most, frames) + 1)))
        seen = library.timeline(len(video.cards), frames, self.random)
        rows = self.library.rows(seen, video.cards, self.random)
        shown = np.repeat(seen, pooling.frame_tokens(frames, self.settings.tower.grid_side)).tolist()
        template = template or prompts.draw_template(self.random)
        return self.packer.of_video(shown, ask(video, seen), template, self.random), rows

    def video_batch(self, level, budget_tokens, count):
        """Videos of one length, and questions on them."""
        return self.videos_batch(level, budget_tokens, 20 * count,
                                 lambda video, seen: self.questions(video, count, level.choices, seen))

    def counts_batch(self, level, budget_tokens, _count):
        """How many there are of a kind, of cards that are only told; the video before them is to be left alone."""
        def drawn():
            return self.drawn(int(self.random.integers(level.cards[0], level.cards[1] + 1)))
        return self.videos_batch(level, budget_tokens, 100 * COUNTS,
                                 lambda *_: [counting.told(drawn(), self.random) for _ in range(COUNTS)])

    def videos_batch(self, level, budget_tokens, asked_tokens, ask):
        """As many videos of one length as the budget of tokens allows."""
        pooling = TRAINED[self.random.integers(len(TRAINED))]
        window, grid = self.settings.decoder.visual_window_tokens, self.settings.tower.grid_side
        most = min(level.frames[1], pooling.most_frames(window, grid))
        frames = int(self.random.integers(min(level.frames[0], most), most + 1))
        size = max(1, budget_tokens // (pooling.tokens(frames, grid) + asked_tokens))
        template = prompts.draw_template(self.random)  # one for all, so that all prefixes are of one length
        drawn = [self.draw_video(level, pooling, frames, ask, template) for _ in range(size)]
        return sequences.stack([s for s, _ in drawn]), torch.tensor([rows for _, rows in drawn]), pooling

    def text_batch(self, level, budget_tokens, count):
        """Tables and English, up to the language window where the videos fill the visual one."""
        window = self.settings.decoder.language_window_tokens
        longest = window if level == LEVELS[-1] else min(window, 256 * (1 + LEVELS.index(level)))
        if self.random.random() < 0.4:
            length = int(self.random.integers(longest // 2, longest + 1))
            made = [self.packer.of_english(length, self.random) for _ in range(max(1, budget_tokens // length))]
        else:
            lines = int(self.random.integers(6, max(8, (longest - 120) // 12)))
            size = max(1, budget_tokens // (11 * lines + 20 * count))
            made = [self.draw_table(level, lines, count) for _ in range(size)]
        return sequences.stack(made), None, None

    def draw_table(self, level, lines, count):
        video = self.drawn(int(self.random.integers(level.cards[0], min(level.cards[1], lines) + 1)))
        return self.packer.of_table(video, self.questions(video, count, level.choices), lines, self.random)


class Batches(IterableDataset):
    """The plan's batches from `start` on: each follows from the seed and its step alone."""

    def __init__(self, material, plan, start):
        self.material, self.plan, self.start = material, plan, start

    def __iter__(self):
        info, material, plan = get_worker_info(), self.material, self.plan
        for step in itertools.count(self.start + 1 + info.id, info.num_workers):
            material.seed(material.settings.seed, step)
            kind = material.random.random()
            draw = (material.text_batch if kind < plan.text_share else
                    material.counts_batch if kind < plan.text_share + plan.counts_share else material.video_batch)
            yield draw(LEVELS[plan.level(step)], plan.tokens, plan.questions)
