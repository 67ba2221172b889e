"""The language model of a seeded checkpoint as GGUF: f16, then quantized by llama.cpp.

    python gguf_model.py CHECKPOINT DTYPE OUT     DTYPE: f16, q8_0, q4_k_m
"""

import ctypes
import json
import mmap
import os
import sys
from pathlib import Path

import gguf
import numpy as np

FILE_TYPES = {"f16": 1, "q8_0": 7, "q4_k_m": 15}  # llama.h, enum llama_ftype
ROOT = "language_model.model."
LAYER = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
OUTSIDE = {
    f"{ROOT}embed_tokens.weight": "token_embd.weight", f"{ROOT}norm.weight": "output_norm.weight",
    "language_model.lm_head.weight": "output.weight",
}


def gguf_name(name):
    """llama.cpp's name of a llava-hf tensor; None where it is not the language model's."""
    if name in OUTSIDE:
        return OUTSIDE[name]
    prefix = f"{ROOT}layers."
    if not name.startswith(prefix):
        return None
    layer, rest = name.removeprefix(prefix).split(".", 1)
    part, kind = rest.rsplit(".", 1)
    return f"blk.{layer}.{LAYER[part]}.{kind}"


def tensors(folder):
    """(name, shape, bf16 bits) of every tensor, mapped, in the files' order."""
    for path in sorted(Path(folder).glob("*.safetensors")):
        with open(path, "rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header_bytes = int.from_bytes(data[:8], "little")
        header = json.loads(data[8:8 + header_bytes])
        header.pop("__metadata__", None)
        for name, info in header.items():
            assert info["dtype"] == "BF16", f"{path}: {name} is {info['dtype']}; seeded checkpoints are in BF16"
            start, end = info["data_offsets"]
            bits = np.frombuffer(data, np.uint16, (end - start) // 2, 8 + header_bytes + start)
            yield name, info["shape"], bits.reshape(info["shape"])


def stored(shape, bits):
    """Vectors in f32, matrices in f16, as llama.cpp's own converter does."""
    values = (bits.astype(np.uint32) << 16).view(np.float32)
    return values if len(shape) == 1 else values.astype(np.float16)


def write_f16(folder, out):
    text = json.loads(Path(folder, "config.json").read_text())["text_config"]
    writer = gguf.GGUFWriter(out, "qwen2")
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_context_length(text["max_position_embeddings"])
    writer.add_embedding_length(text["hidden_size"])
    writer.add_feed_forward_length(text["intermediate_size"])
    writer.add_head_count(text["num_attention_heads"])
    writer.add_head_count_kv(text["num_key_value_heads"])
    writer.add_rope_freq_base(text["rope_theta"])
    writer.add_layer_norm_rms_eps(text["rms_norm_eps"])
    writer.add_vocab_size(text["vocab_size"])
    writer.add_tokenizer_model("none")
    writer.add_file_type(FILE_TYPES["f16"])
    found = [(gguf_name(name), shape, bits) for name, shape, bits in tensors(folder) if gguf_name(name)]
    for name, shape, _ in found:
        dtype = np.dtype(np.float32 if len(shape) == 1 else np.float16)
        writer.add_tensor_info(name, shape, dtype, int(np.prod(shape)) * dtype.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, shape, bits in found:
        writer.write_tensor_data(stored(shape, bits))
    writer.close()


def quantize(source, dtype, out):
    import llama_cpp as llama

    params = llama.llama_model_quantize_default_params()
    params.ftype, params.nthread = FILE_TYPES[dtype], os.cpu_count()
    status = llama.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(params))
    if status != 0:
        raise SystemExit(f"error: llama.cpp could not quantize {source} to {dtype} (status {status})")


def make(folder, dtype, out):
    """Writes the file unless it is there; a file that is there is whole."""
    out = Path(out)
    if out.exists():
        return
    unfinished = out.with_suffix(".part")
    if dtype == "f16":
        write_f16(folder, unfinished)
    else:
        source = out.with_name(f"{out.stem.rsplit('-', 1)[0]}-f16.gguf")
        make(folder, "f16", source)
        quantize(source, dtype, unfinished)
    unfinished.rename(out)


if __name__ == "__main__":
    make(*sys.argv[1:])
