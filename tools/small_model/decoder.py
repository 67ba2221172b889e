"""Part 2 and 3: projector and Qwen2 decoder on videos of cached features, with text mixed in."""

import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import AttentionInterface, LlavaOnevisionConfig, Qwen2Model
from transformers.models.llava_onevision.modeling_llava_onevision import LlavaOnevisionMultiModalProjector

from . import guidance, tower
from .guidance import Guide
from .material import LEVELS, Batches
from .pooling import pool
from .settings import COLOURS, SHAPES
from .sequences import IGNORED
from .state import Curve, Optimiser, cosine_with_warmup, drawn, mixed, on_device, resume

WHITENING_FLOOR, START_SIZE = 3.0, 0.08


def card_targets(cards, words, tokenizer):
    """For every card, and last for none, the sum of its words' embeddings [n + 1, hidden]."""
    def said(word):
        return torch.stack([words[tokenizer.encode(form).ids[0]] for form in (word, f" {word}")]).mean(0)
    generator = torch.Generator().manual_seed(0)
    turns = [torch.linalg.qr(torch.randn(words.shape[1], words.shape[1], generator=generator))[0] for _ in range(3)]
    colours, shapes = (torch.stack([said(word) for word in group]) for group in (COLOURS, SHAPES))
    digits = torch.stack([words[tokenizer.encode(str(number)).ids[0]] for number in range(10)])
    plates, drawn, tens = colours @ turns[0], colours @ turns[1], digits @ turns[2]
    tens[0] = 0
    made = [plates[c.plate] + drawn[c.shape_colour] + shapes[c.shape] + tens[c.tens] + digits[c.units] for c in cards]
    return torch.stack([*made, torch.zeros_like(made[0])])


def mimic(attention, likeness=2.5, share=0.5):
    """Starts attention where training would take it: tokens look at tokens like themselves and take over what they say
    (after Trockman and Kolter, arXiv 2305.09828). Queries equal keys, so that a token's logit with its like is `likeness`; the
    output undoes the values. The default start is left on top, so that heads differ.
    """
    d, groups = attention.head_dim, attention.num_key_value_groups
    for start in range(0, attention.k_proj.weight.shape[0], d):
        key, value = (torch.linalg.qr(torch.randn(attention.k_proj.weight.shape[1], d))[0].T.to(attention.k_proj.weight)
                      for _ in range(2))
        gain = (likeness / d**0.5) ** 0.5
        attention.k_proj.weight[start:start + d] += gain * key
        attention.v_proj.weight[start:start + d] += value
        for head in range(groups):
            place = slice(start * groups + head * d, start * groups + (head + 1) * d)
            attention.q_proj.weight[place] += gain * key
            attention.o_proj.weight[:, place] += share / groups * value.T


def prefixed_attention(module, query, key, value, _mask, batch=None, guide=None, **_):
    """Attention [b, heads, t, d] where every sequence begins with a prefix that is seen causally and goes on with questions
    that see it and themselves: neither mask nor work for what is never seen.
    """
    groups = module.num_key_value_groups
    key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    if guide is not None:
        guide.see(module.layer_idx, query, key)
    n = batch.prefix_tokens
    # Split, not sliced: the gradient of a slice is filled with zeros first.
    (query, asked), (seen_key, own_key), (seen_value, own_value) = (
        x.split([n, x.shape[2] - n], dim=2) for x in (query, key, value))
    parts = []
    if n:
        parts.append(F.scaled_dot_product_attention(query, seen_key, seen_value, is_causal=True))
    if asked.shape[2]:
        if batch.places is not None and query.device.type == "cpu":
            parts.append(question_attention(asked, seen_key, seen_value, own_key, own_value, batch.places))
        else:
            parts.append(F.scaled_dot_product_attention(asked, key, value, attn_mask=batch.may_see[:, :, n:]))
    return torch.cat(parts, dim=2).transpose(1, 2), None


def question_attention(query, seen_key, seen_value, own_key, own_value, places):
    """What the questions' tokens, [b, heads, asked, d], take over from the n tokens before them, [b, heads, n, d], and from
    their own question.
    """
    heads, n, d = seen_key.shape[1:]

    def picked(x, index):
        return x.gather(2, index[:, None, :, None].expand(-1, heads, -1, d))

    def apart(x):
        return x.unflatten(2, (-1, places.longest))  # [b, heads, questions, longest, d]
    query, own_key, own_value = (picked(x, places.of_slots) for x in (query * d**-0.5, own_key, own_value))
    own = apart(query) @ apart(own_key).mT
    own = own + torch.full_like(own[0, 0, 0], float("-inf")).triu(1)
    logits = torch.cat([query @ seen_key.mT, own.flatten(2, 3)], dim=-1)
    with torch.autocast("cpu", enabled=False):  # in what the products are, since it is bound by memory
        before, own = logits.softmax(-1).split([n, places.longest], dim=-1)
    out = before @ seen_value + (apart(own) @ apart(own_value)).flatten(2, 3)
    return picked(out, places.of_tokens)


torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every length, which takes five times the step
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
        sample = library[torch.arange(0, len(library), 20)].flatten(0, 1)
        self.mean.copy_(sample.mean(0))
        values, vectors = torch.linalg.eigh(torch.cov(sample.T))
        self.whitening.copy_(vectors @ torch.diag((values + WHITENING_FLOOR) ** -0.5) @ vectors.T)
        words = self.language.embed_tokens.weight
        with torch.no_grad():
            words.mul_(START_SIZE / words.std())
            for layer in self.language.layers:
                mimic(layer.self_attn)
        targets = card_targets(library.cards, words.detach().cpu(), tokenizer)
        random, optimiser = torch.Generator().manual_seed(0), torch.optim.AdamW(self.projector.parameters(), lr=2e-3)
        for _ in range(steps):
            rows = torch.randint(len(library), (batch,), generator=random)
            tokens = torch.randint(library.patches, (batch,), generator=random)
            wanted = targets[library.card_of_row[rows]].to(words)
            features = library[rows, tokens]
            loss = F.mse_loss(self.projector((features - self.mean) @ self.whitening), wanted) / START_SIZE**2
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"projector aligned: {loss.item():.3f} of {(targets**2).mean().item() / START_SIZE**2:.3f} is left", flush=True)

    def visual(self, features, pooling):
        """Features [b, frames, grid^2, tower hidden] -> visual tokens with the newline, [b, n + 1, hidden]."""
        tokens = pool(self.projector((features - self.mean) @ self.whitening), pooling)
        return torch.cat([tokens, self.newline.to(tokens).expand(len(tokens), 1, -1)], dim=1)

    def hidden(self, batch, visual=None, guide=None):
        """`visual` [b, n + 1, hidden], where the batch is of videos."""
        embeddings = self.language.embed_tokens(batch.ids)
        if visual is not None:
            start, end = batch.visual[0], batch.visual[0] + visual.shape[1]
            embeddings = torch.cat([embeddings[:, :start], visual.to(embeddings), embeddings[:, end:]], dim=1)
        # `prefixed_attention` makes its own mask; transformers makes none where it is given one for each kind of layer.
        return self.language(inputs_embeds=embeddings, attention_mask={"full_attention": None}, position_ids=batch.positions,
                             use_cache=False, batch=batch, guide=guide).last_hidden_state

    def logits(self, hidden):
        return F.linear(hidden, self.language.embed_tokens.weight)


def answer_loss(decoder, batch, visual=None, guide=None):
    """Mean cross-entropy of the labelled tokens, and which of them would not be said, bool [b, t - 1]."""
    hidden = decoder.hidden(batch, visual, guide)
    known = batch.labels[:, 1:] != IGNORED
    logits = decoder.logits(hidden[:, :-1][known]).float()
    labels = batch.labels[:, 1:][known]
    wrong = torch.zeros_like(known)
    wrong[known] = logits.argmax(-1) != labels
    return F.cross_entropy(logits, labels), wrong


def verdicts(batch, wrong):
    """(kind, whether multiple choice, whether all tokens of the answer would be said) of all questions."""
    asked = batch.blocks[:, 1:].clamp(min=0)
    bad = torch.zeros(len(asked), 1 + max(map(len, batch.kinds)), device=asked.device)
    bad = bad.scatter_add(1, asked, wrong.float()).tolist()
    return [(*kind, bad[row][i] == 0) for row, kinds in enumerate(batch.kinds) for i, kind in enumerate(kinds, 1)]


@dataclass(frozen=True)
class Plan:
    """How long and on what. `until` is a clock (time.time()); `tokens` of a batch, `questions` of a video."""

    until: float
    steps: int
    rate: float = 1.5e-3
    muon_gain: float = 2.0
    tokens: int = 3000
    questions: int = 16
    text_share: float = 0.12  # of the batches: tables and English
    counts_share: float = 0.04  # of the batches: counts of cards that are told
    guidance: float = 1.0

    def level(self, step):
        """Index into LEVELS: lengthened as the steps go by."""
        return sum(step > level.begins * self.steps for level in LEVELS) - 1


def train(settings, material, plan):
    """Trains until the plan's end. Goes on where it stopped."""
    torch.manual_seed(settings.seed)
    decoder = Decoder(settings).to(settings.device)
    optimiser = Optimiser(decoder, plan.rate, ("language.layers.", "projector."), plan.muon_gain)
    checkpoint, start = resume(settings, "decoder", decoder, optimiser)
    if start == 0:
        decoder.begin(material.library, material.packer.tokenizer)
    curve, progress = Curve(settings.work / "decoder_curve.csv"), Progress()
    batches = drawn(Batches(material, plan, start), settings)
    for step in range(start + 1, plan.steps + 1):
        began = time.time()
        batch, rows, pooling = on_device(next(batches), settings.device)
        with mixed(settings.device):
            visual = None if rows is None else decoder.visual(material.library[rows], pooling)
            guide = Guide(batch)
            value, wrong = answer_loss(decoder, batch, visual, guide)
        optimiser.descend(value + plan.guidance * guide.loss(), plan.rate * cosine_with_warmup(step - 1, plan.steps, 40, start))
        progress.add(rows is None, value, verdicts(batch, wrong), guide.shares())
        progress.secs.append(time.time() - began)
        out_of_time = time.time() > plan.until
        if step % 20 == 0 or out_of_time:
            curve.add(step=step, level=plan.level(step), **progress.row())
        if step % 100 == 0 or out_of_time or step == plan.steps:
            checkpoint.save(step)
        if out_of_time:
            break
    return decoder


class Progress:
    """Losses, accuracies and shares of attention since the last row."""

    def __init__(self):
        self.losses, self.hits, self.looks, self.secs = {"video": [], "text": []}, {}, {}, []

    def add(self, is_text, loss, verdicts, shares):
        """`shares`: of attention on what it was told, by head."""
        self.losses["text" if is_text else "video"].append(loss.detach())
        if is_text:
            return
        for kind, choice, right in verdicts:
            self.hits.setdefault("choice" if choice else GROUPS.get(kind, "retrieval"), []).append(right)
        for head, share in shares.items():
            self.looks.setdefault(head, []).append(share)

    def row(self):
        def mean(values):
            return float(np.mean([float(value) for value in values])) if values else float("nan")
        row = {f"{name}_loss": mean(losses) for name, losses in self.losses.items()}
        row |= {group: mean(self.hits.get(group)) for group in SHOWN}
        row |= {f"{name}_share": mean(self.looks.get(head)) for name, head in LOOKS.items()}
        row |= {"secs": mean(self.secs)}
        self.__init__()
        return row


SHOWN = ("retrieval", "order", "choice", "count", "told", "when", "card", "describe")
GROUPS = {"card": "card", "first": "order", "next": "order", "how-many": "count", "told": "told", "when": "when",
          "describe": "describe"}
LOOKS = dict(zip(("before", "key", "answer", "option", "match", "word", "so_far"), guidance.HEADS))
