#!/usr/bin/env bash
# transformers 5.24.0, SmolVLMProcessor: a checkpoint's own chat template is left out once there is a video.
#
# Expected: apply_chat_template without a template uses the checkpoint's, as its documentation says, whatever the
#           conversation holds.
# Seen:     with text and images it does; one video in the conversation, and the library's built-in template takes its
#           place without a warning. Passing `processor.chat_template` by hand brings it back.
# Matters:  a fine-tune that ships its own template (a system prompt, other roles) is asked with another prompt than it
#           was trained with for videos alone, which reads as a model that is poor at video.
#
#   bash findings/smolvlm-chat-template.sh      FINDINGS_VENV=FOLDER uses that virtual environment instead of a new one
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
    torch==2.15.0 torchvision==0.29.2 transformers==5.24.0 \
    tokenizers==0.23.3 num2words==0.5.14 jinja2==3.1.6 pillow==13.0.0 \
    numpy==2.4.6
}

make_venv
"$python" - <<'EOF'
import torch
import transformers
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast, SmolVLMImageProcessor, SmolVLMProcessor, SmolVLMVideoProcessor

print(f"transformers {transformers.__version__}, torch {torch.__version__}")
OWN = (
    "[system] Answer in one word. "
    "{% for message in messages %}[{{ message['role'] }}]"
    "{% for part in message['content'] %} {{ part['text'] if part['type'] == 'text' else '<' + part['type'] + '>' }}"
    "{% endfor %} {% endfor %}[assistant]"
)
words = ["[UNK]", "<image>", "<video>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]")),
    unk_token="[UNK]",
)
video_processor = SmolVLMVideoProcessor(
    video_sampling={"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 512}}
)
processor = SmolVLMProcessor(SmolVLMImageProcessor(), tokenizer, video_processor, chat_template=OWN)


def prompt(kind, **settings):
    content = [{"type": kind}, {"type": "text", "text": "What is it?"}]
    conversation = [{"role": "user", "content": content}]
    text = processor.apply_chat_template(conversation, add_generation_prompt=True, **settings)
    print(f"{kind} {list(settings)}: {text!r}")
    return text


with_image = prompt("image")
with_video = prompt("video")
by_hand = prompt("video", chat_template=processor.chat_template)

assert with_image == "[system] Answer in one word. [user] <image> What is it? [assistant]", "images changed"
assert with_video == "<|im_start|>User: <video>What is it?<end_of_utterance>\nAssistant:", "videos changed"
assert by_hand == with_image.replace("image", "video"), "the template given by hand is not used"
EOF
