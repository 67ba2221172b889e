//! Writes safetensors files tensor by tensor, so that a 15 GB checkpoint needs a few MB of memory: the
//! safetensors crate's own serializer wants every tensor in memory at once.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::{Map, json};

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 4 bytes.
    F32,
    /// 2 bytes.
    Bf16,
    /// 2 bytes.
    F16,
}

impl Dtype {
    /// Bytes of one element.
    pub fn size_bytes(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }

    /// As safetensors headers spell it.
    pub fn header_name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::Bf16 => "BF16",
            Self::F16 => "F16",
        }
    }

    /// As `config.json` spells it.
    pub fn config_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::Bf16 => "bfloat16",
            Self::F16 => "float16",
        }
    }
}

/// A tensor to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// Name in the file.
    pub name: String,
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// As the header spells it (`F32`, `BF16`, `F16`, ...).
    pub dtype: String,
    /// Bytes of the data.
    pub size_bytes: usize,
}

impl TensorSpec {
    /// A tensor of weights.
    pub fn new(name: &str, shape: &[usize], dtype: Dtype) -> Self {
        Self {
            name: name.to_owned(),
            shape: shape.to_vec(),
            dtype: dtype.header_name().to_owned(),
            size_bytes: shape.iter().product::<usize>() * dtype.size_bytes(),
        }
    }
}

/// Writes `tensors` in order; `fill` writes the data of each (exactly `size_bytes`, little-endian). The file
/// appears under its name only when it is complete.
pub fn write_file(
    path: &Path,
    tensors: &[TensorSpec],
    mut fill: impl FnMut(&TensorSpec, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let partial = path.with_extension("part");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&partial)?);
    let header = header(tensors);
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    for tensor in tensors {
        fill(tensor, &mut out)?;
    }
    out.flush()?;
    std::fs::rename(&partial, path)
}

/// Writes the header of a file whose data are a hole: zeros that take no space.
pub fn write_hollow(path: &Path, tensors: &[TensorSpec]) -> io::Result<()> {
    let header = header(tensors);
    let mut file = File::create(path)?;
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let data_bytes: usize = tensors.iter().map(|tensor| tensor.size_bytes).sum();
    file.set_len((8 + header.len() + data_bytes) as u64)
}

fn header(tensors: &[TensorSpec]) -> String {
    let mut entries = Map::new();
    entries.insert("__metadata__".into(), json!({"format": "pt"}));
    let mut start = 0;
    for tensor in tensors {
        let end = start + tensor.size_bytes;
        let entry = json!({"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [start, end]});
        entries.insert(tensor.name.clone(), entry);
        start = end;
    }
    let mut text = serde_json::Value::Object(entries).to_string();
    let padding = text.len().next_multiple_of(8) - text.len(); // aligns the data, as the format recommends
    text.push_str(&" ".repeat(padding));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_safetensors_crate_reads_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let specs = [TensorSpec::new("b", &[2, 1], Dtype::F32), TensorSpec::new("a", &[3], Dtype::Bf16)];
        write_file(&path, &specs, |spec, out| out.write_all(&vec![spec.shape.len() as u8; spec.size_bytes]))
            .unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("b").unwrap().data(), [2; 8]);
        assert_eq!(file.tensor("a").unwrap().shape(), [3]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file is left");
    }

    #[test]
    fn a_header_beyond_64_kib_is_padded_too() {
        let specs: Vec<TensorSpec> =
            (0..2000).map(|i| TensorSpec::new(&format!("layers.{i}.weight"), &[1], Dtype::F16)).collect();
        let header = header(&specs);
        assert!(header.len() > 65_536 && header.len().is_multiple_of(8));
    }
}
