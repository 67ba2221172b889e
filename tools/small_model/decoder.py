"""Part 2 and 3: projector and Qwen2 decoder on videos of cached features, with text mixed in."""

import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import AttentionInterface, LlavaOnevisionConfig, Qwen2Model
from transformers.models.llava_onevision.modeling_llava_onevision import LlavaOnevisionMultiModalProjector

from . import guidance, library, prompts, sequences, tower
from .pooling import TRAINED, pool
from .settings import COLOURS, SHAPES
from .sequences import IGNORED
from .state import Curve, Optimiser, cosine_with_warmup, mixed, resume

MASTERED = 0.78  # accuracy that lengthens the videos
WHITENING_FLOOR, START_SIZE = 3.0, 0.08


def card_targets(cards, words, tokenizer):
    """For every card, and last for none, the sum of its words' embeddings [n + 1, hidden]."""
    def said(word):
        return torch.stack([words[tokenizer.encode(form).ids[0]] for form in (word, f" {word}")]).mean(0)
    generator = torch.Generator().manual_seed(0)
    turns = [torch.linalg.qr(torch.randn(words.shape[1], words.shape[1], generator=generator))[0] for _ in range(2)]
    colours, shapes = (torch.stack([said(word) for word in group]) for group in (COLOURS, SHAPES))
    numbers = torch.stack([words[tokenizer.encode(str(number)).ids[0]] for number in range(10)])
    made = [colours[c.plate] @ turns[0] + colours[c.shape_colour] @ turns[1] + shapes[c.shape] + numbers[c.number]
            for c in cards]
    return torch.stack([*made, torch.zeros_like(made[0])])


def mimic(attention, likeness=2.5, share=0.5):
    """Starts attention where training would take it: tokens look at tokens like themselves and take over what they say
    (after Trockman and Kolter, arXiv 2305.09828). Queries equal keys, so that a token's logit with its like is `likeness`; the
    output undoes the values. The default start is left on top, so that heads differ.
    """
    d, groups = attention.head_dim, attention.num_key_value_groups
    for start in range(0, attention.k_proj.weight.shape[0], d):
        key, value = (torch.linalg.qr(torch.randn(attention.k_proj.weight.shape[1], d))[0].T for _ in range(2))
        gain = (likeness / d**0.5) ** 0.5
        attention.k_proj.weight[start:start + d] += gain * key
        attention.v_proj.weight[start:start + d] += value
        for head in range(groups):
            place = slice(start * groups + head * d, start * groups + (head + 1) * d)
            attention.q_proj.weight[place] += gain * key
            attention.o_proj.weight[:, place] += share / groups * value.T


def prefixed_attention(module, query, key, value, mask, batch=None, guide=None, **_):
    """Attention [b, heads, t, d] where every sequence begins with a prefix that is seen causally and goes on with questions
    that see it and themselves: neither mask nor work for what is never seen.
    """
    groups = module.num_key_value_groups
    key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    if guide is not None:
        guide.see(module.layer_idx, query, key)
    n = batch.prefix_tokens
    parts = []
    if n:
        parts.append(F.scaled_dot_product_attention(query[:, :, :n], key[:, :, :n], value[:, :, :n], is_causal=True))
    if n < query.shape[2]:
        if batch.places is not None:
            parts.append(question_attention(query, key, value, n, batch.places))
        else:
            parts.append(F.scaled_dot_product_attention(query[:, :, n:], key, value, attn_mask=mask[:, :, n:]))
    return torch.cat(parts, dim=2).transpose(1, 2), None


def question_attention(query, key, value, n, places):
    """What the questions' tokens take over from the `n` tokens before them and from their own question, [b, heads, t - n, d]."""
    b, heads, _, d = query.shape

    def picked(x, index):
        return x.gather(2, index[:, None, :, None].expand(-1, heads, -1, d))

    def apart(x):
        return x.unflatten(2, (-1, places.longest))  # [b, heads, questions, longest, d]
    query, own_key, own_value = (picked(x, places.of_slots) for x in (query * d**-0.5, key, value))
    own = apart(query) @ apart(own_key).mT
    later = torch.ones(places.longest, places.longest, dtype=torch.bool).triu(1)
    own = own.masked_fill(later, float("-inf")).flatten(2, 3)
    shares = torch.cat([query @ key[:, :, :n].mT, own], dim=-1).softmax(-1)
    out = shares[..., :n] @ value[:, :, :n] + (apart(shares[..., n:]) @ apart(own_value)).flatten(2, 3)
    return picked(out, places.of_tokens)


AttentionInterface.register("prefixed", prefixed_attention)


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
        self.language.set_attn_implementation("prefixed")
        side = settings.tower.hidden
        self.register_buffer("mean", torch.zeros(side))
        self.register_buffer("whitening", torch.eye(side))

    def begin(self, library, tokenizer, steps=600, batch=4096):
        """The start, from the tower's features: they are whitened, since they are far larger in some directions than
        in others, and what is small would be learnt late. Then the projector alone learns to put every token where the
        words are that say what its frame shows (LLaVA's first stage): the sum of the words' embeddings, those of the two
        colours turned by a rotation each, nothing where there is no card.
        """
        sample = library[range(0, len(library.features), 20)].flatten(0, 1)
        self.mean.copy_(sample.mean(0))
        values, vectors = torch.linalg.eigh(torch.cov(sample.T))
        self.whitening.copy_(vectors @ torch.diag((values + WHITENING_FLOOR) ** -0.5) @ vectors.T)
        words = self.language.embed_tokens.weight
        with torch.no_grad():
            words.mul_(START_SIZE / words.std())
            for layer in self.language.layers:
                mimic(layer.self_attn)
        targets = card_targets(library.cards, words.detach(), tokenizer)
        random, optimiser = np.random.default_rng(0), torch.optim.AdamW(self.projector.parameters(), lr=2e-3)
        for _ in range(steps):
            rows = random.integers(len(library.features), size=batch)
            tokens = random.integers(library.features.shape[1], size=batch)
            features = torch.from_numpy(library.features[rows, tokens]).float()
            cards = torch.from_numpy(np.minimum(rows // library.looks, len(targets) - 1))
            loss = F.mse_loss(self.projector((features - self.mean) @ self.whitening), targets[cards]) / START_SIZE**2
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"projector aligned: {loss.item():.3f} of {(targets**2).mean().item() / START_SIZE**2:.3f} is left", flush=True)

    def visual(self, features, pooling):
        """Features [frames, grid^2, tower hidden] -> visual tokens with the newline, [n + 1, hidden]."""
        return torch.cat([pool(self.projector((features - self.mean) @ self.whitening), pooling), self.newline[None]])

    def hidden(self, batch, visuals, guide=None):
        embeddings = self.language.embed_tokens(batch.ids)
        rows = []
        for row, sequence, visual in zip(embeddings, batch.sequences, visuals):
            start, count = sequence.visual
            rows.append(row if visual is None else torch.cat([row[:start], visual.to(row), row[start + count + 1:]]))
        return self.language(inputs_embeds=torch.stack(rows), attention_mask=batch.may_see,
                             position_ids=batch.positions, use_cache=False,
                             batch=batch, guide=guide).last_hidden_state

    def logits(self, hidden):
        return F.linear(hidden, self.language.embed_tokens.weight)


def answer_loss(decoder, batch, visuals, guide=None):
    """Mean cross-entropy of the labelled tokens, and for each question whether all its tokens would be said."""
    hidden = decoder.hidden(batch, visuals, guide)
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
    """Least and most cards and frames of a video, and the share of multiple choice: its prompts are far longer than
    open questions, and teach nothing before cards are found.
    """

    cards: tuple
    frames: tuple
    choices: float


LEVELS = (Level((2, 3), (3, 6), 0.0), Level((2, 5), (5, 12), 0.1), Level((2, 6), (6, 24), 0.1), Level((4, 8), (16, 32), 0.3),
          Level((4, 8), (24, 1000), 0.3))


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
        return type(video)(video.path, video.frames, video.cards[start:start + cards], video.shown, tuple(rows))

    def questions(self, video, count, choices=0.5, seen=None):
        """Rows of the script, shuffled; half of the time a description, and parts of the video where it is one."""
        kept = [video.questions[i] for i in self.random.permutation(len(video.questions))]
        closed = [row for row in kept if row["candidates"]][:round(choices * count)]
        first = [sequences.describe(video, self.random)] if self.random.random() < 0.5 else []
        if seen is not None and len(seen) >= 6:
            first += [row for _ in range(2) if (row := sequences.when(video, seen, self.random))]
        first += [row for _ in range(count // 3) if (row := sequences.one_card(video, self.random))] + closed
        return (first + [row for row in kept if not row["candidates"]])[:count]

    def draw_video(self, level, pooling, frames, count, template=None):
        least, most = level.cards
        video = self.excerpt(int(self.random.integers(least, min(most, frames) + 1)))
        seen = library.timeline(len(video.cards), frames, self.random)
        rows = self.library.rows(seen, video.cards, self.random)
        shown = np.repeat(seen, pooling.frame_tokens(frames, self.settings.tower.grid_side)).tolist()
        template = template or prompts.draw_template(self.random)
        sequence = self.packer.of_video(shown, self.questions(video, count, level.choices, seen), template, self.random)
        return sequence, self.library[rows]

    def video_batch(self, level, budget_tokens, count):
        """As many videos of one length as the budget of tokens allows."""
        pooling = TRAINED[self.random.integers(len(TRAINED))]
        window, grid = self.settings.decoder.visual_window_tokens, self.settings.tower.grid_side
        most = min(level.frames[1], pooling.most_frames(window, grid))
        frames = int(self.random.integers(min(level.frames[0], most), most + 1))
        size = max(1, budget_tokens // (pooling.tokens(frames, grid) + 20 * count))
        template = prompts.draw_template(self.random)  # one for all, so that all prefixes are of one length
        drawn = [self.draw_video(level, pooling, frames, count, template) for _ in range(size)]
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
            size = max(1, budget_tokens // (11 * lines + 20 * count))
            made = [self.draw_table(level, lines, count) for _ in range(size)]
        return sequences.stack(made), [None] * len(made), None

    def draw_table(self, level, lines, count):
        video = self.excerpt(int(self.random.integers(level.cards[0], min(level.cards[1], lines) + 1)))
        return self.packer.of_table(video, self.questions(video, count, level.choices), lines, self.random)


@dataclass(frozen=True)
class Plan:
    """How long and on what. `until` is a clock (time.time()); `tokens` of a batch, `questions` of a video."""

    until: float
    steps: int
    rate: float = 1.5e-3
    muon_gain: float = 2.0
    tokens: int = 3000
    questions: int = 16
    text_share: float = 0.12
    guidance: float = 1.0


def train(settings, material, plan):
    """Trains until the plan's end. Goes on where it stopped, at the level that it had reached."""
    torch.manual_seed(settings.seed)
    decoder = Decoder(settings)
    optimiser = Optimiser(decoder, plan.rate, ("language.layers.", "projector."), plan.muon_gain)
    checkpoint, start = resume(settings, "decoder", decoder, optimiser)
    if start == 0:
        decoder.begin(material.library, material.packer.tokenizer)
    material.seed(settings.seed, start)
    curve = Curve(settings.work / "decoder_curve.csv")
    progress = Progress(curve.last("level", 0))
    for step in range(start + 1, plan.steps + 1):
        began = time.time()
        is_text = material.random.random() < plan.text_share
        draw = material.text_batch if is_text else material.video_batch
        batch, features, pooling = draw(LEVELS[progress.level], plan.tokens, plan.questions)
        with mixed():
            visuals = [f if f is None else decoder.visual(f, pooling) for f in features]
            guide = guidance.Guide(batch.sequences, batch.may_see)
            value, verdicts = answer_loss(decoder, batch, visuals, guide)
        optimiser.descend(value + plan.guidance * guide.loss(), plan.rate * cosine_with_warmup(step - 1, plan.steps, 40, start))
        progress.add(is_text, value.item(), verdicts, time.time() - began)
        progress.look(is_text, guide.shares())
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
        self.looks = {f"{what}_share": [] for what in ("before", "key", "answer")}

    def look(self, is_text, shares):
        """`shares`: of attention on the cards, by layer."""
        for name, layer in zip(self.looks, (guidance.BEFORE_LAYER, guidance.KEY_LAYER, guidance.ANSWER_LAYER)):
            self.looks[name] += [shares[layer]] if layer in shares and not is_text else []

    def add(self, is_text, loss, verdicts, secs):
        self.losses["text" if is_text else "video"].append(loss)
        self.secs.append(secs)
        for kind, choice, right in [] if is_text else verdicts:
            group = "choice" if choice else GROUPS.get(kind, "retrieval")
            self.hits.setdefault(group, []).append(right)
            if kind in RETRIEVAL_AND_ORDER:
                self.recent.append(right)
        self.recent = self.recent[-600:]
        if len(self.recent) == 600 and np.mean(self.recent) > MASTERED and self.level + 1 < len(LEVELS):
            self.level, self.recent = self.level + 1, []

    def row(self):
        means = {f"{name}_loss": float(np.mean(v)) if v else float("nan") for name, v in self.losses.items()}
        shares = {g: float(np.mean(self.hits.get(g, [np.nan]))) for g in SHOWN}
        looks = {name: float(np.mean(v)) if v else float("nan") for name, v in self.looks.items()}
        row = {"level": self.level, **means, **shares, **looks, "secs": float(np.mean(self.secs))}
        self.clear()
        return row


SHOWN = ("retrieval", "order", "choice", "count", "when", "card", "describe")
RETRIEVAL_AND_ORDER = ("which", "what-number", "is-there", "first", "next")
GROUPS = {"card": "card", "first": "order", "next": "order", "how-many": "count", "when": "when",
          "describe": "describe"}
