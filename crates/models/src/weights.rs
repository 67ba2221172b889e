//! Checkpoint folder -> tensors: an index of every safetensors file, read tensor by tensor.
//!
//! Files are read, not mapped: each tensor is read straight into its final buffer (converted in pieces where the dtype
//! changes), so loading never holds a second copy and a truncated file is an error rather than a signal.

mod checkpoint;
mod dtype;
mod gguf;
mod manifest;
mod matrix;
mod names;
mod read;
mod write;

pub(crate) use checkpoint::gguf_alone;
pub use checkpoint::{Checkpoint, TensorInfo};
pub use dtype::{Dtypes, StoredMatrices, WeightDtype};
pub(crate) use gguf::GgufMetadata;
pub use matrix::{Matrix, QuantizedWeights};
pub use names::{NameMap, Spelling};
pub use write::{QuantizedFile, WriteProgress};

use crate::adapter::{Adapters, LowRank};
use crate::backend::Backend;
use crate::{ModelError, Result};
use candle_core::{DType, Device, Tensor};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// A view of a checkpoint below a prefix of canonical names; remembers which tensors were used.
#[derive(Clone)]
pub struct Weights<'a> {
    checkpoint: &'a Checkpoint,
    names: &'a NameMap,
    prefix: String,
    dtype: WeightDtype,
    device: Device,
    backend: Backend,
    used: Rc<RefCell<BTreeSet<String>>>,
    adapters: Option<&'a Adapters>,
    adapted: Rc<RefCell<BTreeSet<String>>>,
}

impl<'a> Weights<'a> {
    /// The whole checkpoint; matrices come out in `dtype` on `device`, for its usual backend.
    pub fn new(checkpoint: &'a Checkpoint, names: &'a NameMap, dtype: WeightDtype, device: &Device) -> Self {
        Self {
            checkpoint,
            names,
            prefix: String::new(),
            dtype,
            device: device.clone(),
            backend: Backend::of_device(device),
            used: Rc::default(),
            adapters: None,
            adapted: Rc::default(),
        }
    }

    /// The tensors below `prefix.name`.
    pub fn below(&self, name: impl std::fmt::Display) -> Self {
        let prefix =
            if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) };
        Self { prefix, ..self.clone() }
    }

    /// The same tensors, in another dtype.
    pub fn with_dtype(&self, dtype: WeightDtype) -> Self {
        Self { dtype, ..self.clone() }
    }

    /// The same tensors, for layers that `backend` computes.
    pub fn with_backend(&self, backend: Backend) -> Self {
        Self { backend, ..self.clone() }
    }

    /// The same tensors, with `adapters` for the linear layers that they name.
    pub fn with_adapters(&self, adapters: &'a Adapters) -> Self {
        Self { adapters: Some(adapters), ..self.clone() }
    }

    /// The low-rank term of the linear layer at this view's prefix, whose weight is `[outputs, inputs]`.
    pub(crate) fn low_rank(&self, outputs: usize, inputs: usize) -> Result<Option<LowRank>> {
        let Some(adapters) = self.adapters else { return Ok(None) };
        let term = adapters.get(&self.prefix, [outputs, inputs])?;
        self.adapted.borrow_mut().insert(self.prefix.clone());
        Ok(term.cloned())
    }

    /// Who computes with them.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Where tensors come out.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether the tensor exists.
    pub fn has(&self, name: &str) -> bool {
        self.checkpoint.info(&self.disk_name(name)).is_some()
    }

    /// Matrix `name` `[outputs, inputs]`, in the view's dtype.
    pub fn matrix(&self, name: &str, outputs: usize, inputs: usize) -> Result<Matrix> {
        let Some(format) = self.dtype.format(inputs) else {
            return Ok(Matrix::Floats(self.get(name, &[outputs, inputs])?));
        };
        if !self.device.is_cpu() {
            return Err(ModelError::Argument(format!(
                "{} weights run on the CPU only; choose f16 or bf16 for this device",
                self.dtype
            )));
        }
        let (disk, info) = self.find(name, &[outputs, inputs])?;
        let weights = self.checkpoint.quantized(info, format)?;
        self.used.borrow_mut().insert(disk);
        Ok(Matrix::Quantized(Arc::new(weights)))
    }

    /// Tensor `name` with exactly `shape`, in the view's dtype: f32 where matrices are quantized.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.load(name, shape, self.dtype.float().unwrap_or(DType::F32))
    }

    /// Tensor `name` with exactly `shape`, in f32 (norms, newline).
    pub fn get_f32(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.load(name, shape, DType::F32)
    }

    /// Rows of a matrix tensor `[rows, columns]` whose number of rows the config does not fix (padded vocabularies).
    pub fn rows(&self, name: &str, columns: usize) -> Result<usize> {
        let disk = self.disk_name(name);
        match self.checkpoint.info(&disk) {
            Some(info) if info.shape.len() == 2 && info.shape[0] > 0 => Ok(info.shape[0]),
            Some(info) => Err(self.shape_error(disk, vec![0, columns], info.shape.clone())),
            None => Err(self.missing(disk, &[0, columns])),
        }
    }

    /// Marks a tensor as known though nothing reads it (unused by the architecture), by canonical name.
    pub fn ignore(&self, name: &str) {
        self.used.borrow_mut().insert(self.disk_name(name));
    }

    /// Errors when the checkpoint has tensors that nothing asked for, or an adapter is for a layer that is not there.
    pub fn finish(&self) -> Result<()> {
        let adapted = self.adapted.borrow();
        let mut layers = self.adapters.into_iter().flat_map(Adapters::layers);
        if let Some(layer) = layers.find(|layer| !adapted.contains(*layer)) {
            return Err(ModelError::Argument(format!(
                "adapter of `{layer}`: the model has no linear layer of that name; is it of another model?"
            )));
        }
        let used = self.used.borrow();
        let unused: Vec<_> =
            self.checkpoint.names().filter(|name| !used.contains(*name) && !names::is_buffer(name)).collect();
        if unused.is_empty() {
            return Ok(());
        }
        let mut names = unused[..unused.len().min(3)].join(", ");
        if unused.len() > 3 {
            names.push_str(", ...");
        }
        Err(ModelError::UnusedTensors {
            folder: self.checkpoint.folder().to_path_buf(),
            count: unused.len(),
            names,
        })
    }

    fn disk_name(&self, name: &str) -> String {
        let canonical =
            if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) };
        self.names.on_disk(&canonical)
    }

    fn load(&self, name: &str, shape: &[usize], dtype: DType) -> Result<Tensor> {
        let (disk, info) = self.find(name, shape)?;
        let tensor = self.checkpoint.read(info, dtype, &self.device)?;
        self.used.borrow_mut().insert(disk);
        Ok(tensor)
    }

    /// Name on disk and place of a tensor of floats with exactly `shape`.
    fn find(&self, name: &str, shape: &[usize]) -> Result<(String, &TensorInfo)> {
        let disk = self.disk_name(name);
        let Some(info) = self.checkpoint.info(&disk) else { return Err(self.missing(disk, shape)) };
        if info.shape != shape {
            return Err(self.shape_error(disk, shape.to_vec(), info.shape.clone()));
        }
        if !info.dtype.is_float() && info.format.is_none() {
            return Err(ModelError::File {
                path: self.checkpoint.folder().to_path_buf(),
                message: format!(
                    "tensor `{disk}` is {}; longsight reads {}",
                    info.dtype.as_str().to_uppercase(),
                    checkpoint::READ
                ),
            });
        }
        Ok((disk, info))
    }

    fn missing(&self, name: String, shape: &[usize]) -> ModelError {
        ModelError::MissingTensor {
            folder: self.checkpoint.folder().to_path_buf(),
            name,
            shape: shape.to_vec(),
        }
    }

    fn shape_error(&self, name: String, expected: Vec<usize>, found: Vec<usize>) -> ModelError {
        ModelError::TensorShape { folder: self.checkpoint.folder().to_path_buf(), name, expected, found }
    }
}
