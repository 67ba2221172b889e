"""The same values as f32: a GGUF file whose every tensor is dequantized, so that llama.cpp rounds neither weights nor activations."""

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType
from gguf.quants import dequantize


def write_f32(source, target):
    """Copies the metadata of `source`, and its tensors as f32."""
    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        if field.name == "general.file_type":
            writer.add_file_type(LlamaFileType.ALL_F32)
        elif field.name != "general.architecture" and not field.name.startswith("GGUF."):
            kind, of = field.types[0], field.types[-1]
            writer.add_key_value(field.name, field.contents(), kind, of if kind == GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
