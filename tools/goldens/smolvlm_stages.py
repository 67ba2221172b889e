"""Runs a SmolVLM2 case through every stage; the processor and the networks are transformers'."""

import torch
from transformers.models.smolvlm.processing_smolvlm import SmolVLMProcessor
from transformers.video_utils import VideoMetadata

import reference
import stages
from reference import DEFAULT_PLAN, POOL_PLANS
from smolvlm_tokenizer import FAKE, GLOBAL, IMAGE


def conversation(question):
    return [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": question}]}]


def process(processor, messages, frames, metadata, **options):
    """What the model is given: pixels and ids."""
    text = processor.apply_chat_template(messages, add_generation_prompt=True)
    video = torch.from_numpy(frames).permute(0, 3, 1, 2)
    inputs = processor(text=[text], videos=[video], video_metadata=[metadata], return_tensors="pt", **options)
    assert bool((inputs["pixel_attention_mask"] == 1).all())
    return inputs


def run(case, model, tokenizer, seed, folder):
    frames = reference.make_frames(case, seed)
    processor = SmolVLMProcessor.from_pretrained(folder)
    indices = [i * case.step for i in range(case.frames)]
    metadata = VideoMetadata(total_num_frames=case.frames * case.step, fps=case.fps, duration=case.duration_secs,
                             frames_indices=indices)
    inputs = process(processor, conversation(case.question), frames, metadata)
    _, pixels = reference.preprocess(case, frames)
    assert (inputs["pixel_values"][0] - pixels).abs().max() < 1e-6
    pixels, ids = inputs["pixel_values"][0], inputs["input_ids"][0]
    tower = model.model.vision_model(pixels).last_hidden_state
    merged = model.model.connector(tower)
    pooled = {plan: [f.flatten(0, 1) for f in reference.pool(case, merged, plan)] for plan in POOL_PLANS}
    tensors = {"frames": torch.from_numpy(frames), "pixels": pixels, "tower": tower, "merged": merged,
               "prompt_ids": ids, "embeddings": splice(model, tokenizer, ids, list(merged))}
    tensors |= {f"pooled_{plan}": torch.cat(parts) for plan, parts in pooled.items()}
    image = tokenizer.token_to_id(IMAGE)
    start = int((ids == image).nonzero()[-1]) + 1
    visual_tokens = int((ids == image).sum())
    assert visual_tokens == merged.shape[0] * merged.shape[1]
    check_against_forward(case, model, tensors, visual_tokens)
    eps = wrong_eps(case, model, tensors, visual_tokens)
    methods, margins = stages.decode(case, model, tokenizer, tensors, start, visual_tokens)
    meta = {"visual_tokens": visual_tokens, "new_tokens": case.new_tokens,
            "prompt_text": tokenizer.decode(ids.tolist(), skip_special_tokens=False),
            "frame_times_secs": metadata.timestamps, "duration_secs": case.duration_secs,
            "methods": methods, "margins": margins | {"rms_norm_eps": eps}}
    meta["pooled"] = decode_pooled(case, model, tokenizer, tensors, pooled[DEFAULT_PLAN])
    return tensors, meta


def splice(model, tokenizer, ids, features):
    """The sequence's embeddings; each frame's run of image tokens gives way to its features, however many."""
    before, image = tokenizer.token_to_id(GLOBAL), tokenizer.token_to_id(IMAGE)
    text, features = model.get_input_embeddings()(ids), iter(features)
    pieces = []
    for i, token in enumerate(ids.tolist()):
        if token != image:
            pieces.append(text[i : i + 1])
        elif ids[i - 1] == before:
            pieces.append(next(features))
    assert next(features, None) is None and tokenizer.token_to_id(FAKE) in ids.tolist()
    return torch.cat(pieces)


def decode_pooled(case, model, tokenizer, tensors, frames):
    """The default plan under `vcwe`, which transformers does not have: fewer image tokens between the markers."""
    embeddings = splice(model, tokenizer, tensors["prompt_ids"], frames)
    visual_tokens = sum(map(len, frames))
    settings = reference.set_rope(model, case, "vcwe", visual_tokens)
    logits = model(inputs_embeds=embeddings[None]).logits[0, -1]
    tokens, gap = stages.generate(case.new_tokens, model, tokenizer, embeddings[None], logits)
    tensors |= {"embeddings_pooled": embeddings, "logits_pooled": logits, "tokens_pooled": tokens}
    return {"plan": DEFAULT_PLAN, "method": "vcwe", "visual_tokens": visual_tokens, "top_two_gap_over_std": gap,
            **settings}


def wrong_eps(case, model, tensors, visual_tokens):
    """How far the logits move with the Llama class's eps of 1e-6 in place of the checkpoint's 1e-5."""
    reference.set_rope(model, case, "none", visual_tokens)
    norms = [m for m in model.get_decoder().modules() if hasattr(m, "variance_epsilon")]
    logits = []
    for eps in (1e-5, 1e-6, 1e-5):
        for norm in norms:
            assert norm.variance_epsilon in (1e-5, 1e-6)
            norm.variance_epsilon = eps
        logits.append(model(inputs_embeds=tensors["embeddings"][None]).logits[0, -1])
    assert torch.equal(logits[0], logits[2])
    moved = stages.relative(logits[1], logits[0])
    if moved < 1e-3:
        raise stages.Unsuitable(f"another eps moves the logits by {moved:.1e} only")
    return moved


def check_against_forward(case, model, tensors, visual_tokens):
    """Our splice must equal transformers' forward pass on pixels and ids."""
    reference.set_rope(model, case, "none", visual_tokens)
    whole = model(input_ids=tensors["prompt_ids"][None], pixel_values=tensors["pixels"][None]).logits[0, -1]
    ours = model(inputs_embeds=tensors["embeddings"][None]).logits[0, -1]
    error = stages.relative(ours, whole)
    assert error < 1e-5, f"{case.name}: differs from transformers' forward: {error}"
