"""Runs a case through every stage and checks that its goldens can tell right from wrong."""

import torch

import reference
from reference import DEFAULT_PLAN, METHODS, POOL_PLANS

SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"


END_TOKENS = ("<|im_end|>", "<|endoftext|>", "<end_of_utterance>")


class Unsuitable(Exception):
    """This seed gives weights that would make a weak test; the next is tried."""


def relative(a, b):
    return float((a - b).double().norm() / b.double().norm())


def run(case, model, tokenizer, seed):
    frames = reference.make_frames(case, seed)
    resized, pixels = reference.preprocess(case, frames)
    tower = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states[-1]
    projected = model.model.multi_modal_projector(tower)
    tensors = {"frames": torch.from_numpy(frames), "resized": torch.from_numpy(resized), "pixels": pixels,
               "tower": tower, "projected": projected}
    for plan in POOL_PLANS:
        tensors[f"pooled_{plan}"] = torch.cat([f.flatten(0, 1) for f in reference.pool(case, projected, plan)])
    newline = model.model.image_newline
    visual = reference.visual_embeddings(case, reference.pool(case, projected, DEFAULT_PLAN), newline)
    user, meta = user_text(case)
    before, after = (torch.tensor(tokenizer.encode(t, add_special_tokens=False).ids) for t in (
        SYSTEM, f"\n{user}<|im_end|>\n<|im_start|>assistant\n"))
    embed = model.get_input_embeddings()
    embeddings = torch.cat([embed(before), visual, embed(after)])
    visual_tokens = len(tensors[f"pooled_{DEFAULT_PLAN}"])
    tensors |= {"prompt_before_ids": before, "prompt_after_ids": after, "visual": visual, "embeddings": embeddings}
    meta |= {"visual_tokens": visual_tokens, "new_tokens": case.new_tokens,
             "prompt_before": SYSTEM, "prompt_after": f"\n{user}<|im_end|>\n<|im_start|>assistant\n"}
    start = len(before) + len(visual)
    meta["methods"], meta["margins"] = decode(case, model, tokenizer, tensors, start, visual_tokens)
    if case.newline == "one_token" and case.pool_mode == "bilinear":
        check_against_forward(case, model, tensors)
    return tensors, meta


def user_text(case):
    """LLaVA-Video names the frames' times before the question."""
    if case.newline != "grid":
        return case.question, {"user_text": case.question}
    duration = 1.25 * case.frames
    times = [round(duration * t / case.frames, 4) for t in range(case.frames)]
    listed = ",".join(f"{t:.2f}s" for t in times)
    text = (f"The video lasts for {duration:.2f} seconds, and {case.frames} frames are uniformly sampled from it. "
            f"These frames are located at {listed}.Please answer the following questions related to this video.\n"
            f"{case.question}")
    return text, {"user_text": text, "duration_secs": duration, "frame_times_secs": times}


def decode(case, model, tokenizer, tensors, start, visual_tokens):
    """Logits and greedy tokens of every method; `start` is the position of the text after the video."""
    embeddings = tensors["embeddings"][None]
    margins, methods = {}, {}
    for method in METHODS:
        methods[method] = reference.set_rope(model, case, method, visual_tokens)
        logits = model(inputs_embeds=embeddings).logits[0, -1]
        tensors[f"logits_{method}"] = logits
        tensors[f"tokens_{method}"], gap = generate(case.new_tokens, model, tokenizer, embeddings, logits)
        positions = torch.arange(embeddings.shape[1])[None]
        positions = positions + (positions >= start)
        shifted = model(inputs_embeds=embeddings, position_ids=positions).logits[0, -1]
        margins[f"shift_by_one/{method}"] = relative(shifted, logits)
        margins[f"top_two_gap_over_std/{method}"] = gap
    for i, a in enumerate(METHODS):
        for b in METHODS[i + 1:]:
            margins[f"{a}/{b}"] = relative(tensors[f"logits_{a}"], tensors[f"logits_{b}"])
    low = {k: v for k, v in margins.items() if "gap" not in k and v < case.margin}
    if low:
        raise Unsuitable(f"too close: {low}")
    return methods, margins


def generate(new_tokens, model, tokenizer, embeddings, first_logits):
    """Greedy tokens by transformers' own loop, never a padding row (no tokenizer entry)."""
    size, rows = tokenizer.get_vocab_size(), first_logits.shape[0]
    out = model.generate(
        inputs_embeds=embeddings, attention_mask=torch.ones(embeddings.shape[:2], dtype=torch.long),
        max_new_tokens=new_tokens, do_sample=False, use_cache=True, suppress_tokens=list(range(size, rows)),
        eos_token_id=rows, pad_token_id=rows, return_dict_in_generate=True, output_logits=True)
    tokens = out.sequences[0]
    assert len(tokens) == new_tokens
    assert relative(out.logits[0][0], first_logits) < 1e-5
    top = [step[0][:size].topk(2).values for step in out.logits]
    gap = min(float((t[0] - t[1]) / step[0].std()) for t, step in zip(top, out.logits))
    if gap < 5e-3:
        raise Unsuitable(f"near tie: {gap:.1e}")
    if len(set(tokens.tolist())) < min(4, new_tokens):
        raise Unsuitable("the answer repeats itself")
    if {tokenizer.token_to_id(end) for end in END_TOKENS} & set(tokens.tolist()):
        raise Unsuitable("an end token appears")
    return tokens, gap


def check_against_forward(case, model, tensors):
    """Uniform stride 2 is what transformers does itself: our splice and pooling must equal its forward pass."""
    reference.set_rope(model, case, "none", len(tensors["pooled_uniform_2"]))
    before, after = tensors["prompt_before_ids"], tensors["prompt_after_ids"]
    features = tensors["pooled_uniform_2"]
    video = torch.full((len(features) + 1,), model.config.video_token_index)
    ids = torch.cat([before, video, after])[None]
    whole = model(input_ids=ids, pixel_values_videos=tensors["pixels"][None]).logits[0, -1]
    embed = model.get_input_embeddings()
    pieces = torch.cat([embed(before), features, model.model.image_newline[None], embed(after)])
    ours = model(inputs_embeds=pieces[None]).logits[0, -1]
    assert relative(ours, whole) < 1e-5, f"{case.name}: differs from transformers' forward: {relative(ours, whole)}"
