"""transformers on the seeded checkpoint: its own tower, projector and decoder, sdpa attention, prompts in one forward."""

import time

import torch
import transformers
from transformers import DynamicCache, LlavaOnevisionForConditionalGeneration

import inputs
import measure

BATCH_FRAMES = 4  # as longsight's own default
POOLED_SIDE = 14  # the 27 x 27 patches of a frame at stride 2


class Text:
    """The decoder with a cache."""

    def __init__(self, model):
        self.decoder, self.head = model.model.language_model, model.lm_head
        self.vocabulary = model.config.text_config.vocab_size
        self.cache = None

    def start(self, _capacity):
        self.cache = None

    def prefill(self, tokens):
        ids = torch.tensor([inputs.token_ids(tokens, self.vocabulary)])
        return self.prefill_embeddings(self.decoder.embed_tokens(ids))

    def prefill_embeddings(self, embeddings):
        self.cache = DynamicCache(config=self.decoder.config)
        return int(self.forward(inputs_embeds=embeddings).argmax())

    def decode(self, context, count):
        beyond = self.cache.get_seq_length() - context
        if beyond:
            self.cache.crop(-beyond)
        token = torch.tensor([[0]])
        for _ in range(count):
            token = self.forward(input_ids=token).argmax(-1)

    def forward(self, **of):
        states = self.decoder(**of, past_key_values=self.cache, use_cache=True).last_hidden_state
        return self.head(states[:, -1:])


def features(model, pixels):
    """As transformers' own get_video_features, before pooling."""
    tower = model.model.vision_tower(pixels, output_hidden_states=True)
    return model.model.multi_modal_projector(tower.hidden_states[-1])


def pixels(model, frames):
    """Batches of normalised frames."""
    side = model.config.vision_config.image_size
    values = torch.from_numpy(inputs.frames_rgb(frames, side)).permute(0, 3, 1, 2)
    return ((values.to(torch.float32) / 255 - 0.5) / 0.5).to(model.dtype).split(BATCH_FRAMES)


def tower_result(args, model):
    batches = pixels(model, args.frames)
    features(model, batches[0][:1])

    def encode():
        for batch in batches:
            features(model, batch)

    return measure.result("tower", args.frames, [measure.rate(args.frames, encode)[0] for _ in range(args.repeats)])


def whole(args, model, text):
    """All frames at stride 2, then one prefill: what a run of so many frames takes in memory."""
    pooled = []
    for batch in pixels(model, args.frames):
        grid = features(model, batch)
        side = int(grid.shape[1] ** 0.5)
        grid = grid.permute(0, 2, 1).unflatten(2, (side, side))
        small = torch.nn.functional.interpolate(grid, size=(POOLED_SIDE, POOLED_SIDE), mode="bilinear")
        pooled.append(small.flatten(2).permute(0, 2, 1).flatten(0, 1))
    embeddings = torch.cat([*pooled, model.model.image_newline[None]])[None]
    rate, _ = measure.rate(embeddings.shape[1], text.prefill_embeddings, embeddings)
    return measure.result("whole", embeddings.shape[1], [rate])


@torch.inference_mode()
def main():
    args = measure.flags(__doc__)
    torch.set_num_threads(args.threads)
    own_bytes = measure.resident_bytes()
    started = time.perf_counter()
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[args.dtype]
    model = LlavaOnevisionForConditionalGeneration.from_pretrained(args.model, dtype=dtype, attn_implementation="sdpa")
    load_secs = time.perf_counter() - started
    model.eval()
    text, results = Text(model), []
    if "tower" in args.stages:
        results.append(tower_result(args, model))
    if "whole" in args.stages:
        results.append(whole(args, model, text))
    results += measure.text_results(args, text)
    version = f"transformers {transformers.__version__}, torch {torch.__version__}"
    measure.report("transformers", version, args, own_bytes, load_secs, results)


if __name__ == "__main__":
    main()
