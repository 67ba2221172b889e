use super::gguf::{self, GgufMetadata};
use super::{NameMap, QuantizedWeights, Spelling, WeightDtype, manifest, read};
use crate::{ModelError, Result, files};
use candle_core::{DType, Device, Tensor};
use longsight_kernels::{Format, MappedFile};
use rayon::prelude::*;
use safetensors::tensor::Metadata;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Headers above this are damage, not checkpoints (the format's own limit).
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Where a tensor lies.
#[derive(Debug, Clone)]
pub struct TensorInfo {
    pub(super) file: usize,
    pub(super) offset_bytes: u64,
    /// Type in the file: u8 for quantized weights.
    pub dtype: DType,
    /// Dimensions, of the weights and not of their bytes.
    pub shape: Vec<usize>,
    /// How a quantized matrix is stored.
    pub format: Option<Format>,
    /// Rows of a head, where the file holds the two rows of each rotary pair next to each other.
    pub(super) paired_head_rows: Option<usize>,
}

/// Every tensor of a checkpoint folder: one `model.safetensors`, or the shards that the index names.
#[derive(Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    files: Vec<OpenFile>,
    tensors: BTreeMap<String, TensorInfo>,
}

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    file: File,
    map: OnceLock<Arc<MappedFile>>,
}

impl Checkpoint {
    /// Reads the headers of all files.
    ///
    /// # Errors
    /// No safetensors files, a shard missing, a header that is damaged, or a file shorter than its header says.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut checkpoint =
            Self { folder: folder.to_path_buf(), files: Vec::new(), tensors: BTreeMap::new() };
        for path in shards(folder)? {
            checkpoint.add(path)?;
        }
        Ok(checkpoint)
    }

    /// Lets the one GGUF file of the folder, if there is one, stand in for the language model.
    ///
    /// # Errors
    /// Several GGUF files, one that is damaged, or of another architecture than Llama and Qwen2.
    pub(crate) fn take_language_model(&mut self, names: &NameMap) -> Result<Option<GgufMetadata>> {
        let Some(path) = gguf_file(&self.folder)? else { return Ok(None) };
        self.tensors.retain(|name, _| !names.is_language(name));
        self.add_gguf(path, names).map(Some)
    }

    /// The tensors of the GGUF file at `path` alone, spelt as the first of `spellings` say, and the file's metadata.
    pub(crate) fn of_gguf(path: &Path, spellings: &[Spelling]) -> Result<(Self, NameMap, GgufMetadata)> {
        let mut checkpoint = Self { folder: path.into(), files: Vec::new(), tensors: BTreeMap::new() };
        let names = NameMap::detect(&checkpoint, spellings);
        let metadata = checkpoint.add_gguf(path.into(), &names)?;
        Ok((checkpoint, names, metadata))
    }

    fn add_gguf(&mut self, path: PathBuf, names: &NameMap) -> Result<GgufMetadata> {
        let io = |source| ModelError::Io { path: path.clone(), source };
        let wrong = |message| ModelError::File { path: path.clone(), message };
        let file = File::open(&path).map_err(io)?;
        let file_bytes = file.metadata().map_err(io)?.len();
        let (metadata, found) =
            gguf::read(std::io::BufReader::new(&file), (&path, file_bytes)).map_err(wrong)?;
        gguf::check_architecture(&metadata)?;
        for tensor in found {
            let gguf::GgufTensor { name, shape, dtype, format, offset_bytes } = tensor;
            let canonical = gguf::canonical(&name).ok_or_else(|| {
                wrong(format!("tensor `{name}` belongs to neither Llama nor Qwen2: a variant that longsight does not read"))
            })?;
            let rows = shape.first().copied().unwrap_or(0);
            let paired_head_rows = gguf::paired_head_rows(&metadata, &name, rows)?;
            let file = self.files.len();
            let entry = TensorInfo { file, offset_bytes, dtype, shape, format, paired_head_rows };
            if self.tensors.insert(names.on_disk(&canonical), entry).is_some() {
                return Err(wrong(format!("tensor `{name}` is there twice; download it again")));
            }
        }
        self.files.push(OpenFile { path, file, map: OnceLock::new() });
        Ok(metadata)
    }

    /// The folder; of a GGUF file alone, the file.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Where `name` lies, if it exists.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// The dtype that most values are stored in: the checkpoint's own.
    pub fn dtype(&self) -> DType {
        self.float_dtype(|_, _| true)
    }

    /// The same of the tensors that belong.
    pub fn float_dtype(&self, belongs: impl Fn(&str, &TensorInfo) -> bool) -> DType {
        let mut values: BTreeMap<&'static str, (usize, DType)> = BTreeMap::new();
        let floats = self.tensors.iter().filter(|(name, info)| info.dtype.is_float() && belongs(name, info));
        for (_, info) in floats {
            values.entry(info.dtype.as_str()).or_insert((0, info.dtype)).0 +=
                info.shape.iter().product::<usize>();
        }
        values.into_values().max_by_key(|(count, _)| *count).map_or(DType::F32, |(_, dtype)| dtype)
    }

    /// What most weights of quantized matrices are stored as; none in a checkpoint of floats.
    pub fn quantized_dtype(&self, belongs: impl Fn(&str) -> bool) -> Option<WeightDtype> {
        let mut weights: BTreeMap<WeightDtype, usize> = BTreeMap::new();
        for (_, info) in self.tensors.iter().filter(|(name, _)| belongs(name)) {
            if let Some(format) = info.format {
                *weights.entry(WeightDtype::of(format)).or_default() += info.shape.iter().product::<usize>();
            }
        }
        weights.into_iter().max_by_key(|(_, count)| *count).map(|(dtype, _)| dtype)
    }

    /// Whether it was written by [`crate::quantize`]: then what is in floats is meant to be.
    pub fn was_written_quantized(&self) -> bool {
        self.tensors.values().any(|info| info.format.is_some() && !is_gguf(&self.files[info.file].path))
    }

    pub(super) fn read(&self, info: &TensorInfo, dtype: DType, device: &Device) -> Result<Tensor> {
        let open = &self.files[info.file];
        let tensor = read::tensor(&open.file, info, dtype, device).map_err(|error| open.failed(error))?;
        let Some(head_rows) = info.paired_head_rows else { return Ok(tensor) };
        let order = gguf::half_split_order(tensor.dim(0)?, head_rows);
        let order: Vec<u32> = order.into_iter().map(|row| row as u32).collect();
        Ok(tensor.index_select(&Tensor::new(order, device)?, 0)?)
    }

    /// Writes the stored bytes of the tensor at `info`.
    pub(super) fn copy(&self, info: &TensorInfo, to: &mut dyn Write) -> Result<()> {
        let open = &self.files[info.file];
        let bytes = info.shape.iter().product::<usize>() * info.dtype.size_in_bytes();
        let mut file = &open.file;
        let copied = file
            .seek(SeekFrom::Start(info.offset_bytes))
            .and_then(|_| std::io::copy(&mut file.take(bytes as u64), to))
            .and_then(|copied| match copied == bytes as u64 {
                true => Ok(()),
                false => Err(std::io::ErrorKind::UnexpectedEof.into()),
            });
        copied.map_err(|source| ModelError::Io { path: open.path.clone(), source })
    }

    /// Writes the tensor at `info` as floats of another dtype.
    pub(super) fn convert(&self, info: &TensorInfo, dtype: DType, to: &mut dyn Write) -> Result<()> {
        let open = &self.files[info.file];
        read::convert(&open.file, info, dtype, to).map_err(|error| open.failed(error))
    }

    /// The matrix at `info` in `format`: quantized piece by piece, or mapped where it is stored so, and copied where its
    /// rows stand in another order.
    pub(super) fn quantized(&self, info: &TensorInfo, format: Format) -> Result<QuantizedWeights> {
        let weights = self.quantized_as_stored(info, format)?;
        Ok(match info.paired_head_rows {
            Some(head_rows) => weights.select_rows(&gguf::half_split_order(info.shape[0], head_rows)),
            None => weights,
        })
    }

    fn quantized_as_stored(&self, info: &TensorInfo, format: Format) -> Result<QuantizedWeights> {
        let open = &self.files[info.file];
        let [outputs, inputs] = info.shape[..] else {
            return Err(ModelError::Argument(format!("a matrix is needed, not {:?}", info.shape)));
        };
        match info.format {
            None => QuantizedWeights::quantize(format, (outputs, inputs), |first, out| {
                read::widened(&open.file, info, first, out).map_err(|error| open.failed(error))?;
                // Without a way out of the loop, which would keep it from becoming vectors.
                let finite = |weights: &[f32]| weights.iter().fold(true, |all, w| all & w.is_finite());
                match out.par_chunks(1 << 16).all(finite) {
                    true => Ok(()),
                    false => Err(self.not_finite(info)),
                }
            }),
            Some(stored) => {
                let start = info.offset_bytes as usize;
                let range = start..start + stored.row_bytes(inputs) * outputs;
                Ok(QuantizedWeights::mapped(stored, (outputs, inputs), open.map()?, range))
            }
        }
    }

    fn not_finite(&self, info: &TensorInfo) -> ModelError {
        let name = self.tensors.iter().find(|(_, of)| std::ptr::eq(*of, info)).map_or("", |(name, _)| name);
        let message = format!("tensor `{name}` has weights that are no finite numbers; download it again");
        ModelError::File { path: self.files[info.file].path.clone(), message }
    }

    fn add(&mut self, path: PathBuf) -> Result<()> {
        let (file, header) = Header::read(&path)?;
        let damaged = |message: String| ModelError::File { path: path.clone(), message };
        let stored = manifest::read(&header.metadata).map_err(damaged)?;
        for (name, info) in header.metadata.tensors() {
            let dtype = dtype_of(info.dtype).ok_or_else(|| {
                damaged(format!("tensor `{name}` is {:?}; longsight reads {READ}", info.dtype))
            })?;
            let offset_bytes = header.data_start + info.data_offsets.0 as u64;
            let mut entry = TensorInfo {
                file: self.files.len(),
                offset_bytes,
                dtype,
                shape: info.shape.clone(),
                format: None,
                paired_head_rows: None,
            };
            match stored.get(&name) {
                Some(stored) => {
                    stored.apply(&mut entry).map_err(|e| damaged(format!("tensor `{name}` {e}")))?
                }
                None if dtype == DType::U8 => {
                    return Err(damaged(format!(
                        "tensor `{name}` is U8; longsight reads {READ}, and what `longsight quantize` wrote"
                    )));
                }
                None => {}
            }
            if self.tensors.contains_key(&name) {
                return Err(damaged(format!("tensor `{name}` is in two files of this checkpoint")));
            }
            self.tensors.insert(name, entry);
        }
        self.files.push(OpenFile { path, file, map: OnceLock::new() });
        Ok(())
    }
}

impl OpenFile {
    fn failed(&self, error: read::Failed) -> ModelError {
        match error {
            read::Failed::Io(source) => ModelError::Io { path: self.path.clone(), source },
            read::Failed::Tensor(error) => ModelError::Tensor(error),
        }
    }

    fn map(&self) -> Result<Arc<MappedFile>> {
        if let Some(map) = self.map.get() {
            return Ok(map.clone());
        }
        let map = MappedFile::open(&self.file)
            .map_err(|source| ModelError::Io { path: self.path.clone(), source })?;
        Ok(self.map.get_or_init(|| Arc::new(map)).clone())
    }
}

/// The parsed head of one file.
struct Header {
    metadata: Metadata,
    /// Byte of the file where the tensors' data begin.
    data_start: u64,
}

impl Header {
    fn read(path: &Path) -> Result<(File, Self)> {
        let io = |source| ModelError::Io { path: path.into(), source };
        let damaged = |message: String| ModelError::File {
            path: path.into(),
            message: format!("{message}; download it again"),
        };
        let kind = std::fs::metadata(path).map_err(io)?;
        if !kind.is_file() {
            return Err(damaged("not a regular file".into()));
        }
        let mut file = File::open(path).map_err(io)?;
        let file_bytes = kind.len();
        let mut length = [0u8; 8];
        file.read_exact(&mut length)
            .map_err(|_| damaged(format!("only {file_bytes} bytes: not a safetensors file")))?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MAX_HEADER_BYTES || header_bytes + 8 > file_bytes {
            return Err(damaged("not a safetensors file, or truncated within its header".into()));
        }
        let mut text = vec![0u8; header_bytes as usize];
        file.read_exact(&mut text).map_err(io)?;
        let metadata: Metadata = serde_json::from_slice(&text)
            .and_then(|metadata| unique_keys(&text).map(|()| metadata))
            .map_err(|e| damaged(format!("damaged safetensors header ({e})")))?;
        // Parsing has checked that every tensor has the size of its shape and begins where the one before ends.
        let (data_start, data_bytes) = (8 + header_bytes, metadata.data_len() as u64);
        let needed = data_start.saturating_add(data_bytes);
        if needed != file_bytes {
            let what = if needed > file_bytes { "truncated" } else { "longer than its header says" };
            return Err(damaged(format!("{what}: {needed} bytes expected, the file has {file_bytes}")));
        }
        Ok((file, Self { metadata, data_start }))
    }
}

fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "gguf")
}

/// The GGUF file that is a checkpoint by itself: one that is named, or the only one of a folder without `config.json`.
///
/// # Errors
/// Several of them in such a folder, or one that cannot be read.
pub(crate) fn gguf_alone(path: &Path) -> Result<Option<PathBuf>> {
    match path.is_dir() {
        true if path.join("config.json").exists() => Ok(None),
        true => gguf_file(path),
        false => Ok((path.is_file() && is_gguf(path)).then(|| path.into())),
    }
}

fn gguf_file(folder: &Path) -> Result<Option<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).map_err(|source| ModelError::Io { path: folder.into(), source })?;
    let mut found: Vec<_> =
        entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| is_gguf(p) && p.is_file()).collect();
    match found.len() {
        0 | 1 => Ok(found.pop()),
        n => Err(ModelError::File {
            path: folder.into(),
            message: format!("{n} GGUF files; keep the language model's only"),
        }),
    }
}

/// Errors where a JSON object has a key twice: of two tensors with one name, parsing would keep either.
fn unique_keys(text: &[u8]) -> serde_json::Result<()> {
    struct Keys;
    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut seen = BTreeSet::new();
            while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                if let Some(key) = seen.replace(key) {
                    return Err(serde::de::Error::custom(format_args!("`{key}` is there twice")));
                }
            }
            Ok(())
        }
    }
    serde::Deserializer::deserialize_map(&mut serde_json::Deserializer::from_slice(text), Keys)
}

/// The types of weights that are read, for messages.
pub(super) const READ: &str = "F64, F32, F16 and BF16";

fn dtype_of(dtype: safetensors::Dtype) -> Option<DType> {
    match dtype {
        safetensors::Dtype::F64 => Some(DType::F64),
        safetensors::Dtype::F32 => Some(DType::F32),
        safetensors::Dtype::F16 => Some(DType::F16),
        safetensors::Dtype::BF16 => Some(DType::BF16),
        safetensors::Dtype::U8 => Some(DType::U8), // quantized, if the manifest says so
        safetensors::Dtype::I64 => Some(DType::I64), // position_ids buffers of old files
        _ => None,
    }
}

/// The safetensors files of a folder: `model.safetensors` (which wins in transformers too), else those that the index
/// names, else the only one.
fn shards(folder: &Path) -> Result<Vec<PathBuf>> {
    let single = folder.join("model.safetensors");
    if single.exists() {
        return Ok(vec![single]);
    }
    let index = folder.join("model.safetensors.index.json");
    if index.exists() {
        return indexed(folder, &index);
    }
    let entries =
        std::fs::read_dir(folder).map_err(|source| ModelError::Io { path: folder.into(), source })?;
    let mut found: Vec<_> = entries
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    match found.len() {
        1 => Ok(vec![found.remove(0)]),
        0 => Err(ModelError::File { path: folder.into(), message: "no safetensors files in this folder; convert the checkpoint to safetensors, or name another folder".into() }),
        n => Err(ModelError::File { path: folder.into(), message: format!("{n} safetensors files but no model.safetensors.index.json; download the index too") }),
    }
}

fn indexed(folder: &Path, index: &Path) -> Result<Vec<PathBuf>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let bytes = files::read(index, MAX_HEADER_BYTES)?;
    let parsed: Index = serde_json::from_slice(&bytes).map_err(|e| ModelError::File {
        path: index.into(),
        message: format!("not a safetensors index ({e}); download it again"),
    })?;
    let mut names: Vec<_> = parsed.weight_map.into_values().collect();
    names.sort();
    names.dedup();
    let plain = |n: &String| Path::new(n).file_name().is_some_and(|file| file == n.as_str());
    if let Some(bad) = names.iter().find(|n| !plain(n)) {
        return Err(ModelError::File {
            path: index.into(),
            message: format!("names a shard outside its folder: {bad}"),
        });
    }
    Ok(names.into_iter().map(|n| folder.join(n)).collect())
}
