//! A golden checkpoint in a folder of its own, to be damaged.

use longsight_testkit::golden::checkpoint_dir;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub struct Checkpoint(tempfile::TempDir);

impl Checkpoint {
    pub fn copy(case: &str) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
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

    pub fn edit_config(&self, change: impl FnOnce(&mut Value)) {
        let path = self.file("config.json");
        let mut config = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut config);
        std::fs::write(path, config.to_string()).unwrap();
    }

    /// Changes the header and the data of `model.safetensors`.
    pub fn edit_weights(&self, change: impl FnOnce(&mut Value, &mut Vec<u8>)) {
        let path = self.file("model.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        let (length, rest) = bytes.split_at(8);
        let (header, data) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
        let (mut header, mut data) = (serde_json::from_slice(header).unwrap(), data.to_vec());
        change(&mut header, &mut data);
        let header = header.to_string();
        let parts = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data];
        std::fs::write(path, parts.concat()).unwrap();
    }
}

/// Takes a tensor out of the file, with its data.
pub fn remove_tensor(name: &str, header: &mut Value, data: &mut Vec<u8>) {
    let tensors = header.as_object_mut().unwrap();
    let offsets = |entry: &Value| [0, 1].map(|i| entry["data_offsets"][i].as_u64().unwrap());
    let [start, end] = offsets(&tensors.remove(name).unwrap());
    data.drain(start as usize..end as usize);
    for (_, entry) in tensors.iter_mut().filter(|(name, _)| *name != "__metadata__") {
        let moved = offsets(entry).map(|at| if at >= end { at - (end - start) } else { at });
        entry["data_offsets"] = moved.to_vec().into();
    }
}
