#!/usr/bin/env bash
# transformers 5.24.0, SmolVLMVideoProcessor: the sampling of frames compares seconds with frames.
#
# Expected: the first and the last second (`skip_secs`) are skipped where the video is long enough: where it has more
#           frames at `fps` than `num_frames`, as it works out at 1 fps. A higher fps then skips in shorter videos too.
# Seen:     a duration in seconds is compared with num_frames * fps, so a higher fps asks for longer videos. At 2 fps a
#           video of 100 s (200 frames wanted, 64 taken) keeps its ends; at 0.5 fps one of 40 s (20 wanted, 20 taken)
#           loses them.
# Matters:  fps is said to set how densely a video is seen, but it also moves which part is seen: raise it, and title
#           cards and black frames at both ends come in; lower it, and a short video loses its ends for nothing.
#
#   bash findings/smolvlm-sampling-units.sh      FINDINGS_VENV=FOLDER uses that virtual environment instead of a new one
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
    torch==2.15.0 torchvision==0.29.2 transformers==5.24.0 pillow==13.0.0 \
    numpy==2.4.6
}

make_venv
"$python" - <<'EOF'
import torch
import transformers
from transformers import SmolVLMVideoProcessor
from transformers.video_utils import VideoMetadata

print(f"transformers {transformers.__version__}, torch {torch.__version__}")
VIDEO_FPS = 10
LIMIT = 64
size = {"longest_edge": 8}
processor = SmolVLMVideoProcessor(
    size=size,
    max_image_size=size,
    video_sampling={"fps": 1, "max_frames": LIMIT, "video_size": size},
)


def ends_skipped(seconds, fps):
    total = seconds * VIDEO_FPS
    video = torch.zeros(total, 3, 8, 8, dtype=torch.uint8)
    metadata = VideoMetadata(total_num_frames=total, fps=VIDEO_FPS, duration=seconds)
    options = {"do_sample_frames": True, "fps": fps, "num_frames": LIMIT, "return_metadata": True}
    out = processor([video], video_metadata=[metadata], return_tensors="pt", **options)
    taken = [int(i) for i in out["video_metadata"][0].frames_indices]
    skipped = taken[0] > 0
    print(
        f"{seconds} s at {fps} fps: {seconds * fps:g} frames wanted, {len(taken)} taken,"
        f" {taken[0]} to {taken[-1]} of {total}: ends {'skipped' if skipped else 'kept'}"
    )
    return skipped


assert ends_skipped(100, 1), "at 1 fps a video with more frames than are taken keeps its ends now"
assert not ends_skipped(60, 1), "at 1 fps a video with fewer frames than are taken loses its ends now"
assert not ends_skipped(100, 2), "at 2 fps a video with more frames than are taken loses its ends now"
assert ends_skipped(140, 2), "at 2 fps no video loses its ends any more"
assert ends_skipped(40, 0.5), "at 0.5 fps a video with fewer frames than are taken keeps its ends now"
EOF
