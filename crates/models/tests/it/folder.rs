//! A golden checkpoint copied to a folder of its own, to be changed.

use longsight_models::{DType, Description, Lmm, LoadSettings, ModelError, WeightDtype};
use longsight_testkit::golden::checkpoint_dir;
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub struct Folder(tempfile::TempDir);

/// A tensor of a file: name, dtype as the header spells it, shape, data.
pub type Stored = (String, String, Vec<usize>, Vec<u8>);

impl Folder {
    /// An empty one.
    pub fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A copy of a golden case's checkpoint.
    pub fn golden(case: &str) -> Self {
        let copy = Self::empty();
        for entry in std::fs::read_dir(checkpoint_dir(case)).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, copy.file(path.file_name().unwrap().to_str().unwrap())).unwrap();
        }
        copy
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.file(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.file(name)).unwrap()
    }

    pub fn remove(&self, name: &str) -> &Self {
        std::fs::remove_file(self.file(name)).unwrap();
        self
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.bytes(name)).unwrap()
    }

    /// Changes a JSON file.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) -> &Self {
        let mut value = self.json(name);
        change(&mut value);
        self.write(name, value.to_string())
    }

    /// Sets a value of config.json by JSON pointer.
    pub fn set(&self, pointer: &str, value: Value) -> &Self {
        self.edit("config.json", |config| {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            config.pointer_mut(parent).unwrap()[key] = value;
        })
    }

    /// The tensors of `model.safetensors`, sorted by name.
    pub fn tensors(&self) -> Vec<Stored> {
        let bytes = self.bytes("model.safetensors");
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut all: Vec<Stored> = file
            .iter()
            .map(|(name, v)| (name.to_owned(), v.dtype().to_string(), v.shape().to_vec(), v.data().to_vec()))
            .collect();
        all.sort();
        all
    }

    /// Rewrites `model.safetensors` with changed tensors.
    pub fn edit_tensors(&self, change: impl FnOnce(&mut Vec<Stored>)) -> &Self {
        let mut tensors = self.tensors();
        change(&mut tensors);
        self.write("model.safetensors", safetensors_file(&tensors))
    }

    /// Rewrites the header of `model.safetensors`, leaving the data as they are.
    pub fn edit_header(&self, change: impl FnOnce(&mut Value)) -> &Self {
        let bytes = self.bytes("model.safetensors");
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut header = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        change(&mut header);
        let header = header.to_string();
        let parts = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + length..]];
        self.write("model.safetensors", parts.concat())
    }

    pub fn load(&self) -> Result<Lmm, ModelError> {
        Lmm::load(self.path(), &LoadSettings::default())
    }

    /// All but the weights, to be loaded in `dtype`.
    pub fn describe(&self, dtype: Option<WeightDtype>) -> Description {
        Description::read(self.path(), &LoadSettings { dtype, ..Default::default() }).unwrap()
    }

    pub fn load_as(&self, dtype: DType) -> Lmm {
        Lmm::load(self.path(), &LoadSettings { dtype: Some(dtype.into()), ..Default::default() }).unwrap()
    }
}

/// A safetensors file of these tensors.
pub fn safetensors_file(tensors: &[Stored]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        data.extend_from_slice(bytes);
        header.insert(name.clone(), json!({"dtype": dtype, "shape": shape, "data_offsets": offsets}));
    }
    let header = Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}
