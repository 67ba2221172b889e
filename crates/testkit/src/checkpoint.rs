//! Checkpoints of any shape with seeded random weights, streamed to disk in bounded memory.

use std::io::{self, Write};
use std::path::Path;

use half::{bf16, f16};
use serde_json::{Map, json};

use crate::config;
use crate::layouts::Layout;
use crate::safetensors_writer::{Dtype, TensorSpec, write_file, write_hollow};
use crate::shape::Shape;

/// What to write. The weights of a tensor depend on the seed and its llava-hf name alone, so checkpoints of one seed
/// are the same model in every layout and, to rounding, in every dtype.
#[derive(Clone, Debug)]
pub struct SeededCheckpoint {
    /// Sizes.
    pub shape: Shape,
    /// Of the stored weights.
    pub dtype: Dtype,
    /// Tensor names and form of the config.
    pub layout: Layout,
    /// Fewer (or more) tower layers than the shape has.
    pub tower_layers: Option<usize>,
    /// Fewer (or more) decoder layers than the shape has.
    pub decoder_layers: Option<usize>,
    /// Of the weights.
    pub seed: u64,
    /// 0.5% of the channels of every norm's weight are this many times larger: real models have such outliers.
    pub outlier_factor: Option<f32>,
    /// Holes instead of weights: files that take no space, for programs that read the headers only.
    pub hollow: bool,
    /// Largest shard in bytes, if no single tensor is larger.
    pub shard_bytes: usize,
}

impl Default for SeededCheckpoint {
    fn default() -> Self {
        Self {
            shape: Shape::Tiny,
            dtype: Dtype::Bf16,
            layout: Layout::LlavaHf,
            tower_layers: None,
            decoder_layers: None,
            seed: 0,
            outlier_factor: None,
            hollow: false,
            shard_bytes: 4_000_000_000,
        }
    }
}

impl SeededCheckpoint {
    /// Writes the whole folder: weights, config, tokenizer, preprocessor and generation config.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut shape = self.shape.model();
        shape.tower.layers = self.tower_layers.unwrap_or(shape.tower.layers);
        shape.text.layers = self.decoder_layers.unwrap_or(shape.text.layers);
        config::write_all(&shape, self.layout, self.dtype, folder)?;
        let shards = split(shape.tensors(self.layout, self.dtype), self.shard_bytes);
        if let [shard] = shards.as_slice() {
            return self.write_shard(shard, &folder.join("model.safetensors"));
        }
        let mut weight_map = Map::new();
        let total: usize = shards.iter().flatten().map(|t| t.size_bytes).sum();
        for (i, shard) in shards.iter().enumerate() {
            let file = format!("model-{:05}-of-{:05}.safetensors", i + 1, shards.len());
            self.write_shard(shard, &folder.join(&file))?;
            for tensor in shard {
                weight_map.insert(self.layout.rename(&tensor.name), file.as_str().into());
            }
        }
        let index = json!({"metadata": {"total_size": total}, "weight_map": weight_map});
        config::write_json(&folder.join("model.safetensors.index.json"), &index)
    }

    fn write_shard(&self, tensors: &[TensorSpec], path: &Path) -> io::Result<()> {
        let renamed: Vec<TensorSpec> = tensors
            .iter()
            .map(|tensor| TensorSpec { name: self.layout.rename(&tensor.name), ..tensor.clone() })
            .collect();
        if self.hollow {
            return write_hollow(path, &renamed);
        }
        let tied = self.shape.model().text.tied;
        let mut originals = tensors.iter();
        write_file(path, &renamed, |_, out| {
            let tensor = originals.next().expect("one a tensor");
            let weights = Weights::of(tensor, tied).with_outliers(self.outlier_factor);
            weights.write(self.dtype, tensor.shape.iter().product(), name_seed(self.seed, &tensor.name), out)
        })
    }
}

/// Tensors in shards of at most `shard_bytes`, order kept.
fn split(tensors: Vec<TensorSpec>, shard_bytes: usize) -> Vec<Vec<TensorSpec>> {
    let mut shards: Vec<Vec<TensorSpec>> = vec![Vec::new()];
    let mut used = 0;
    for tensor in tensors {
        if used > 0 && used + tensor.size_bytes > shard_bytes {
            shards.push(Vec::new());
            used = 0;
        }
        used += tensor.size_bytes;
        shards.last_mut().expect("never empty").push(tensor);
    }
    shards
}

/// What a tensor holds: one value throughout, or uniform noise of a standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weights {
    Constant(f32),
    /// One value, and a larger one in a channel of each 200.
    Outliers {
        value: f32,
        factor: f32,
    },
    Uniform {
        std: f32,
    },
}

impl Weights {
    /// Norms pass through; matrices keep the variance of their input, so that activations stay of order one
    /// through any number of pre-norm layers. A tied head's embeddings are small, or greedy decoding would
    /// only repeat the last token.
    fn of(tensor: &TensorSpec, tied: bool) -> Self {
        let name = tensor.name.as_str();
        if name.contains("norm") {
            return Self::Constant(if name.ends_with("weight") { 1.0 } else { 0.0 });
        }
        let std = match name {
            _ if name.ends_with("bias") => 0.1,
            _ if name.ends_with("embed_tokens.weight") && tied => 0.05,
            _ if name.contains("embed_tokens") || name.contains("position_embedding") => 0.5,
            _ if name == "image_newline" => 0.5,
            _ => 1.0 / (tensor.shape[1..].iter().product::<usize>() as f32).sqrt(),
        };
        Self::Uniform { std }
    }

    /// The weights of norms, with outliers where a factor is given.
    fn with_outliers(self, factor: Option<f32>) -> Self {
        match (self, factor) {
            (Self::Constant(value), Some(factor)) if value != 0.0 => Self::Outliers { value, factor },
            (weights, _) => weights,
        }
    }

    fn write(self, dtype: Dtype, count: usize, seed: u64, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Constant(value) => {
                let (bytes, size) = encode(value, dtype);
                (0..count).try_for_each(|_| out.write_all(&bytes[..size]))
            }
            Self::Outliers { value, factor } => (0..count).try_for_each(|channel| {
                let (bytes, size) = encode(if channel % 200 == 7 { value * factor } else { value }, dtype);
                out.write_all(&bytes[..size])
            }),
            Self::Uniform { std } => write_uniform(std, dtype, count, seed, out),
        }
    }
}

/// A value's little-endian bytes in `dtype` and how many there are.
fn encode(value: f32, dtype: Dtype) -> ([u8; 4], usize) {
    let [a, b] = match dtype {
        Dtype::F32 => return (value.to_le_bytes(), 4),
        Dtype::Bf16 => bf16::from_f32(value).to_le_bytes(),
        Dtype::F16 => f16::from_f32(value).to_le_bytes(),
    };
    ([a, b, 0, 0], 2)
}

/// Elements generated at a time: 1 MB or less of data, and a multiple of the four of a draw.
const BLOCK: usize = 1 << 18;

/// Uniform noise with 16 bits a value, four values a draw.
fn write_uniform(std: f32, dtype: Dtype, count: usize, seed: u64, out: &mut dyn Write) -> io::Result<()> {
    // Uniform on (-a, a) has standard deviation a / sqrt(3).
    let step = std * 3f32.sqrt() / 32768.0;
    let value = |bits: u16| encode((f32::from(bits) - 32767.5) * step, dtype).0;
    let mut random = SplitMix(seed);
    // A table of all 65,536 values is several times faster than rounding each, where it pays for itself.
    let table: Vec<[u8; 4]> = if count > BLOCK { (0..=u16::MAX).map(value).collect() } else { Vec::new() };
    let mut bytes = vec![0; BLOCK.min(count).next_multiple_of(4) * dtype.size_bytes()];
    for start in (0..count).step_by(BLOCK) {
        if table.is_empty() {
            fill(&mut bytes, dtype, &mut random, value);
        } else {
            fill(&mut bytes, dtype, &mut random, |bits| table[usize::from(bits)]);
        }
        out.write_all(&bytes[..BLOCK.min(count - start) * dtype.size_bytes()])?;
    }
    Ok(())
}

fn fill(bytes: &mut [u8], dtype: Dtype, random: &mut SplitMix, value: impl Fn(u16) -> [u8; 4]) {
    let lanes = |draw: u64| [0, 16, 32, 48].map(|shift| value((draw >> shift) as u16));
    if dtype == Dtype::F32 {
        for chunk in bytes.as_chunks_mut::<16>().0 {
            let [a, b, c, d] = lanes(random.next()).map(|lane| u128::from(u32::from_le_bytes(lane)));
            *chunk = (a | b << 32 | c << 64 | d << 96).to_le_bytes();
        }
    } else {
        for chunk in bytes.as_chunks_mut::<8>().0 {
            let [a, b, c, d] = lanes(random.next()).map(|lane| u64::from(u32::from_le_bytes(lane)));
            *chunk = (a | b << 16 | c << 32 | d << 48).to_le_bytes();
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// FNV-1a of the name, mixed with the seed.
fn name_seed(seed: u64, name: &str) -> u64 {
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    SplitMix(hash ^ SplitMix(seed).next()).next()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use safetensors::SafeTensors;

    use super::*;

    fn write(checkpoint: &SeededCheckpoint) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        checkpoint.write(folder.path()).unwrap();
        let model = folder.path().join("model.safetensors");
        (folder, model)
    }

    fn f32s(bytes: &[u8], name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(bytes).unwrap();
        let data = file.tensor(name).unwrap().data().to_vec();
        data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    }

    #[test]
    fn weights_have_the_deviation_they_should_and_norms_are_one() {
        let (_folder, model) = write(&SeededCheckpoint { dtype: Dtype::F32, ..Default::default() });
        let bytes = std::fs::read(model).unwrap();
        let up = f32s(&bytes, "language_model.model.layers.0.mlp.up_proj.weight");
        let variance = up.iter().map(|v| v * v).sum::<f32>() / up.len() as f32;
        assert!((variance * 128.0 - 1.0).abs() < 0.02, "{variance}");
        assert!(f32s(&bytes, "language_model.model.norm.weight").iter().all(|v| *v == 1.0));
        assert_ne!(up[..8], f32s(&bytes, "language_model.model.layers.1.mlp.up_proj.weight")[..8]);
    }

    #[test]
    fn one_seed_is_one_model_in_every_layout_and_dtype() {
        let hf = SeededCheckpoint { dtype: Dtype::F32, seed: 7, ..Default::default() };
        let lmms = SeededCheckpoint { layout: Layout::LmmsLab, dtype: Dtype::Bf16, ..hf.clone() };
        let (_a, hf) = write(&hf);
        let (_b, lmms) = write(&lmms);
        let (hf, lmms) = (std::fs::read(hf).unwrap(), std::fs::read(lmms).unwrap());
        let exact = f32s(&hf, "multi_modal_projector.linear_1.weight");
        let file = SafeTensors::deserialize(&lmms).unwrap();
        let data = file.tensor("model.mm_projector.0.weight").unwrap().data().to_vec();
        let rounded: Vec<f32> =
            data.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect();
        crate::Tolerance::Relative(4e-3).assert("bf16 against f32", &rounded, &exact);
    }

    #[test]
    fn table_and_direct_encoding_agree() {
        let (mut long, mut short) = (Vec::new(), Vec::new());
        write_uniform(0.3, Dtype::Bf16, BLOCK + 5, 1, &mut long).unwrap();
        write_uniform(0.3, Dtype::Bf16, 1001, 1, &mut short).unwrap();
        assert_eq!(long.len(), 2 * (BLOCK + 5));
        assert_eq!(long[..2002], short);
    }

    #[test]
    fn shards_hold_every_tensor_once_and_the_index_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint =
            SeededCheckpoint { shard_bytes: 200_000, tower_layers: Some(1), ..Default::default() };
        checkpoint.write(folder.path()).unwrap();
        let index = std::fs::read(folder.path().join("model.safetensors.index.json")).unwrap();
        let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
        let map = index["weight_map"].as_object().unwrap();
        let files: std::collections::BTreeSet<&str> = map.values().map(|f| f.as_str().unwrap()).collect();
        assert!(files.len() > 2);
        let mut found = 0;
        for file in files {
            let bytes = std::fs::read(folder.path().join(file)).unwrap();
            for name in SafeTensors::deserialize(&bytes).unwrap().names() {
                assert_eq!(map[name], file);
                found += 1;
            }
        }
        assert_eq!(found, map.len());
        assert!(!map.keys().any(|name| name.contains("encoder.layers.1.")));
    }
}
