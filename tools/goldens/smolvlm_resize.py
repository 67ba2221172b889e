"""Frames of several shapes as SmolVLMVideoProcessor resizes them: twice, the second time to a square."""

import torch
from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor, get_resize_output_image_size

import maker
import reference
from cases import Case

SQUARE = 32
# Name: width, height, long side of the first step. The published files enlarge to 2048 and then shrink to 512.
SHAPES = {
    "landscape": (90, 36, SQUARE), "portrait": (36, 90, SQUARE), "square": (50, 50, SQUARE), "tiny": (5, 7, SQUARE),
    "exact": (32, 32, SQUARE), "odd": (32, 31, SQUARE), "wide": (130, 1, SQUARE), "tall": (2, 130, SQUARE),
    "landscape_enlarged": (64, 36, 4 * SQUARE), "portrait_enlarged": (27, 48, 4 * SQUARE),
    "exact_enlarged": (32, 32, 4 * SQUARE),
}


def make(folder):
    tensors, shapes = {}, {}
    for name, (width, height, edge) in SHAPES.items():
        case = Case(name, hidden=0, heads=0, kv_heads=0, head_dim=0, mlp=0, tied=False, frames=1,
                    frame_size=(width, height))
        frame = torch.from_numpy(reference.make_frames(case, seed=len(shapes)))
        video = frame.permute(0, 3, 1, 2)
        processor = SmolVLMVideoProcessor(size={"longest_edge": edge}, max_image_size={"longest_edge": SQUARE})
        pixels = processor([video], return_tensors="pt")["pixel_values"][0]
        levels = pixels * 127.5 + 127.5
        assert (levels - levels.round()).abs().max() < 1e-3
        first_height, first_width = get_resize_output_image_size(video, edge)
        tensors[f"{name}_frame"] = frame[0]
        tensors[f"{name}_resized"] = levels.round().to(torch.uint8)[0].permute(1, 2, 0)
        shapes[name] = {"width": width, "height": height, "longest_edge": edge, "square": SQUARE,
                        "first_width": first_width, "first_height": first_height}
    maker.save(folder, tensors, {"shapes": shapes})
