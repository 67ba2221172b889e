"""Part 2 and 3: projector and Qwen2 decoder on videos of cached features, with text mixed in."""

import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import LlavaOnevisionConfig, Qwen2Model
from transformers.models.llava_onevision.modeling_llava_onevision import LlavaOnevisionMultiModalProjector

from . import library, prompts, sequences, tower
from .pooling import TRAINED, pool
from .sequences import IGNORED
from .state import Curve, cosine_with_warmup, descend, resume

MASTERED = 0.86  # accuracy that lengthens the videos


def config(settings, vocabulary=None):
    """The whole model's transformers config."""
    d, size = settings.decoder, vocabulary or settings.decoder.vocabulary
    text = dict(
        model_type="qwen2", vocab_size=size, hidden_size=d.hidden, intermediate_size=d.mlp,
        num_hidden_layers=d.layers, num_attention_heads=d.heads, num_key_value_heads=d.kv_heads,
        max_position_embeddings=d.language_window_tokens, tie_word_embeddings=True, rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": d.theta}, use_sliding_window=False)
    return LlavaOnevisionConfig(
        text_config=text, vision_config=tower.config(settings.tower).to_dict(), tie_word_embeddings=True,
        image_token_index=size - 2, video_token_index=size - 1)


class Decoder(nn.Module):
    """Everything of LLaVA-OneVision but the tower."""

    def __init__(self, settings):
        super().__init__()
        self.sizes = settings.decoder
        whole = config(settings)
        self.projector = LlavaOnevisionMultiModalProjector(whole)
        self.newline = nn.Parameter(torch.randn(settings.decoder.hidden) * 0.02)
        self.language = Qwen2Model(whole.text_config)

    def visual(self, features, pooling):
        """Features [frames, grid^2, tower hidden] -> visual tokens with the newline, [n + 1, hidden]."""
        return torch.cat([pool(self.projector(features), pooling), self.newline[None]])

    def hidden(self, batch, visuals):
        embeddings = self.language.embed_tokens(batch.ids)
        rows = []
        for row, sequence, visual in zip(embeddings, batch.sequences, visuals):
            start, count = sequence.visual
            rows.append(row if visual is None else torch.cat([row[:start], visual.to(row), row[start + count + 1:]]))
        return self.language(inputs_embeds=torch.stack(rows), attention_mask=batch.may_see,
                             position_ids=batch.positions, use_cache=False).last_hidden_state

    def logits(self, hidden):
        return F.linear(hidden, self.language.embed_tokens.weight)


def answer_loss(decoder, batch, visuals):
    """Mean cross-entropy of the labelled tokens, and for each question whether all its tokens would be said."""
    hidden = decoder.hidden(batch, visuals)
    known = batch.labels[:, 1:] != IGNORED
    logits = decoder.logits(hidden[:, :-1][known]).float()
    labels = batch.labels[:, 1:][known]
    value = F.cross_entropy(logits, labels)
    wrong = torch.zeros_like(known)
    wrong[known] = logits.argmax(-1) != labels
    verdicts = []
    for sequence, row in zip(batch.sequences, wrong):
        bad = {sequence.blocks[i + 1] for i in row.nonzero()[:, 0].tolist()}
        verdicts += [(q["kind"], bool(q["candidates"]), i not in bad) for i, q in enumerate(sequence.questions, 1)]
    return value, verdicts


@dataclass(frozen=True)
class Level:
    """Least and most cards and frames of a video."""

    cards: tuple
    frames: tuple


LEVELS = (Level((1, 2), (2, 4)), Level((2, 3), (4, 8)), Level((2, 5), (8, 16)), Level((4, 7), (14, 24)),
          Level((4, 8), (20, 32)), Level((4, 8), (24, 1000)))


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
        """Some cards in a row of some video, with the questions that they answer."""
        video = self.videos[self.random.integers(len(self.videos))]
        cards = min(cards, len(video.cards))
        start = int(self.random.integers(len(video.cards) - cards + 1))
        kept = range(start, start + cards)
        rows = [row for row in video.questions if all(card in kept for card in row["cards"])]
        return type(video)(video.path, video.frames, video.cards[start:start + cards], video.shown, tuple(rows))

    def questions(self, video, count):
        rows = list(video.questions)
        self.random.shuffle(rows)
        if self.random.random() < 0.5:
            rows = [sequences.describe(video)] + rows
        return rows[:count]

    def draw_video(self, level, pooling, frames, count):
        least, most = level.cards
        video = self.excerpt(int(self.random.integers(least, min(most, frames) + 1)))
        seen = library.timeline(len(video.cards), frames, self.random)
        rows = self.library.rows(seen, video.cards, self.random)
        tokens = pooling.tokens(frames, self.settings.tower.grid_side)
        template = prompts.draw_template(self.random)
        sequence = self.packer.of_video(tokens, self.questions(video, count), template, self.random)
        return sequence, self.library[rows]

    def video_batch(self, level, budget_tokens, count):
        """As many videos of one length as the budget of tokens allows."""
        pooling = TRAINED[self.random.integers(len(TRAINED))]
        window, grid = self.settings.decoder.visual_window_tokens, self.settings.tower.grid_side
        most = min(level.frames[1], pooling.most_frames(window, grid))
        frames = int(self.random.integers(min(level.frames[0], most), most + 1))
        size = max(1, budget_tokens // (pooling.tokens(frames, grid) + 30 * count))
        drawn = [self.draw_video(level, pooling, frames, count) for _ in range(size)]
        return sequences.stack([s for s, _ in drawn]), [f for _, f in drawn], pooling

    def text_batch(self, level, budget_tokens, count):
        """Tables and English, up to the language window where the videos fill the visual one."""
        window = self.settings.decoder.language_window_tokens
        longest = window if level == LEVELS[-1] else min(window, 256 * (1 + LEVELS.index(level)))
        if self.random.random() < 0.4:
            length = int(self.random.integers(longest // 2, longest + 1))
            made = [self.packer.of_english(length, self.random) for _ in range(max(1, budget_tokens // length))]
        else:
            lines = int(self.random.integers(6, max(8, (longest - 120) // 12)))
            size = max(1, budget_tokens // (11 * lines + 30 * count))
            made = [self.draw_table(level, lines, count) for _ in range(size)]
        return sequences.stack(made), [None] * len(made), None

    def draw_table(self, level, lines, count):
        video = self.excerpt(int(self.random.integers(level.cards[0], min(level.cards[1], lines) + 1)))
        return self.packer.of_table(video, self.questions(video, count), lines, self.random)


@dataclass(frozen=True)
class Plan:
    """How long and on what. `until` is a clock (time.time()); `tokens` of a batch, `questions` of a video."""

    until: float
    steps: int
    rate: float = 1e-3
    tokens: int = 4000
    questions: int = 10
    text_share: float = 0.2


def train(settings, material, plan):
    """Trains until the plan's end. Goes on where it stopped, at the level that it had reached."""
    torch.manual_seed(settings.seed)
    decoder = Decoder(settings)
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=plan.rate, weight_decay=0.02, betas=(0.9, 0.98))
    checkpoint, start = resume(settings, "decoder", decoder, optimiser)
    material.seed(settings.seed, start)
    curve = Curve(settings.work / "decoder_curve.csv")
    progress = Progress(curve.last("level", 0))
    for step in range(start + 1, plan.steps + 1):
        began = time.time()
        is_text = material.random.random() < plan.text_share
        draw = material.text_batch if is_text else material.video_batch
        batch, features, pooling = draw(LEVELS[progress.level], plan.tokens, plan.questions)
        with torch.autocast("cpu", torch.bfloat16):
            visuals = [f if f is None else decoder.visual(f, pooling) for f in features]
            value, verdicts = answer_loss(decoder, batch, visuals)
        descend(optimiser, value, plan.rate * cosine_with_warmup(step - 1, plan.steps, 200, start))
        progress.add(is_text, value.item(), verdicts, time.time() - began)
        out_of_time = time.time() > plan.until
        if step % 20 == 0 or out_of_time:
            curve.add(step=step, **progress.row())
        if step % 100 == 0 or out_of_time or step == plan.steps:
            checkpoint.save(step)
        if out_of_time:
            break
    return decoder


class Progress:
    """Losses and accuracies since the last row, and the level of the curriculum."""

    def __init__(self, level):
        self.level, self.recent = int(level), []
        self.clear()

    def clear(self):
        self.losses, self.hits, self.secs = {"video": [], "text": []}, {}, []

    def add(self, is_text, loss, verdicts, secs):
        self.losses["text" if is_text else "video"].append(loss)
        self.secs.append(secs)
        for kind, choice, right in [] if is_text else verdicts:
            group = kind if kind == "describe" else "choice" if choice else ORDER.get(kind, "retrieval")
            self.hits.setdefault(group, []).append(right)
            if kind != "describe":
                self.recent.append(right)
        self.recent = self.recent[-600:]
        if len(self.recent) == 600 and np.mean(self.recent) > MASTERED and self.level + 1 < len(LEVELS):
            self.level, self.recent = self.level + 1, []

    def row(self):
        means = {f"{name}_loss": float(np.mean(v)) if v else float("nan") for name, v in self.losses.items()}
        shares = {g: float(np.mean(self.hits.get(g, [np.nan]))) for g in ("retrieval", "order", "choice", "describe")}
        row = {"level": self.level, **means, **shares, "secs": float(np.mean(self.secs))}
        self.clear()
        return row


ORDER = {"first": "order", "next": "order"}
