#!/usr/bin/env bash
# transformers 5.24.0, SmolVLMForConditionalGeneration: the decoder's own flag for tied word embeddings does nothing.
#
# Expected: text_config.tie_word_embeddings says whether the decoder's output layer shares its embeddings' weights, as
#           it does where the same decoder is built by itself.
# Seen:     only the top-level tie_word_embeddings counts. With true in text_config and false at the top (its default)
#           the output layer has its own weights; the other way round it shares them, whatever text_config says.
# Matters:  a checkpoint without an output layer, whose config says "tied" for the decoder only, gets random weights in
#           its place (a notice says so) and answers noise; and a program that reads the decoder's own part of the
#           config, which is a whole Llama config, builds another model than transformers does.
#
#   bash findings/smolvlm-tie-flag.sh      FINDINGS_VENV=FOLDER uses that virtual environment instead of a new one
set -euo pipefail
export HF_HUB_OFFLINE=1 # nothing here needs a hub

# make_venv: sets `python` to the interpreter of a new virtual environment, which goes away when the script ends.
make_venv() {
  if [[ -n ${FINDINGS_VENV:-} ]]; then
    python=$FINDINGS_VENV/bin/python
    return
  fi
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  "${PYTHON:-python3}" -m venv "$folder"
  python=$folder/bin/python
  "$python" -m pip install --quiet \
    torch==2.15.0 transformers==5.24.0 numpy==2.4.6
}

make_venv
"$python" - <<'EOF'
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, SmolVLMConfig, SmolVLMForConditionalGeneration

print(f"transformers {transformers.__version__}, torch {torch.__version__}")
TINY = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
DECODER = {**TINY, "num_key_value_heads": 2, "vocab_size": 100, "pad_token_id": 0}


def tied(model):
    return model.get_output_embeddings().weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()


def multimodal(in_text, at_top):
    config = SmolVLMConfig(
        text_config={"model_type": "llama", **DECODER, "tie_word_embeddings": in_text},
        vision_config={**TINY, "image_size": 8, "patch_size": 4},
        image_token_id=99,
        tie_word_embeddings=at_top,
    )
    model = SmolVLMForConditionalGeneration(config)
    assert model.config.text_config.tie_word_embeddings == in_text, "the decoder's flag is not kept"
    return tied(model)


seen = {(in_text, at_top): multimodal(in_text, at_top) for in_text in (False, True) for at_top in (False, True)}
for (in_text, at_top), shared in seen.items():
    print(f"text_config {in_text}, top level {at_top}: {'tied' if shared else 'not tied'}")
alone = {flag: tied(LlamaForCausalLM(LlamaConfig(**DECODER, tie_word_embeddings=flag))) for flag in (False, True)}
print("the same decoder by itself:", {flag: "tied" if shared else "not tied" for flag, shared in alone.items()})

assert alone == {False: False, True: True}, "the flag of the decoder by itself changed"
assert all(shared == at_top for (_, at_top), shared in seen.items()), "text_config's flag counts now"
EOF
