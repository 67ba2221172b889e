//! The SigLIP tower as video models use it: no class token, no pooling head. The feature is the last layer's output, before
//! `post_layernorm` (LLaVA) or after it (SmolVLM).

use crate::Result;
use crate::backend::{AttentionInput, Backend};
use crate::layers::{LayerNorm, Linear};
use crate::weights::{Matrix, Weights};
use candle_core::Tensor;
use longsight_method::Grid;

/// Rows of activations that kernels work on at once.
const KERNEL_ROWS: usize = 768;

/// Shape of a tower; so400m-patch14-384 by default.
#[derive(Debug, Clone, PartialEq)]
pub struct SiglipConfig {
    /// Width of a patch feature.
    pub hidden: usize,
    /// Width of the MLP.
    pub intermediate: usize,
    /// Encoder layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Side of the square input, in pixels.
    pub image_side: usize,
    /// Side of a patch, in pixels.
    pub patch_side: usize,
    /// Epsilon of the layer norms.
    pub eps: f64,
    /// Whether `post_layernorm` is applied to the last layer's output.
    pub post_norm: bool,
}

impl Default for SiglipConfig {
    fn default() -> Self {
        Self {
            hidden: 1152,
            intermediate: 4304,
            layers: 26,
            heads: 16,
            image_side: 384,
            patch_side: 14,
            eps: 1e-6,
            post_norm: false,
        }
    }
}

impl SiglipConfig {
    /// Patches of a frame; pixels beyond the last whole patch are not used.
    pub fn grid(&self) -> Grid {
        Grid::square(self.image_side / self.patch_side)
    }

    /// Frames of a batch that go through the tower's kernels together: enough rows to share among its cores, and few enough
    /// that activations stay in the caches and take little memory.
    pub fn frames_at_once(&self) -> usize {
        (KERNEL_ROWS / self.grid().tokens().max(1)).max(1)
    }
}

/// The tower.
pub struct Siglip {
    config: SiglipConfig,
    patch: Linear,
    positions: Tensor,
    layers: Vec<Layer>,
    post_norm: Option<LayerNorm>,
    backend: Backend,
}

struct Layer {
    norm1: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    heads: usize,
    backend: Backend,
}

impl Siglip {
    /// Loads the tower below `weights`.
    pub fn load(weights: &Weights<'_>, config: &SiglipConfig) -> Result<Self> {
        let (c, p) = (config.hidden, config.patch_side);
        let embeddings = weights.below("embeddings");
        let patch = {
            let w = embeddings.below("patch_embedding");
            let kernel = w.get("weight", &[c, 3, p, p])?.reshape((c, 3 * p * p))?;
            Linear::new(Matrix::Floats(kernel), Some(w.get("bias", &[c])?), w.backend())
        };
        let positions = embeddings.get_f32("position_embedding.weight", &[config.grid().tokens(), c])?;
        let layers = (0..config.layers)
            .map(|i| Layer::load(&weights.below(format!("encoder.layers.{i}")), config))
            .collect::<Result<_>>()?;
        let norm = weights.below("post_layernorm");
        let post_norm = config.post_norm.then(|| LayerNorm::load(&norm, c, config.eps)).transpose()?;
        norm.ignore("weight"); // in every checkpoint, not used by every model
        norm.ignore("bias");
        let backend = weights.backend();
        Ok(Self { config: config.clone(), patch, positions, layers, post_norm, backend })
    }

    /// Its shape.
    pub fn config(&self) -> &SiglipConfig {
        &self.config
    }

    /// `pixels` `[frames, 3, side, side]`, normalised -> features `[frames, patches, hidden]`.
    pub fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let frames = pixels.dim(0)?;
        let at_once = match self.backend {
            Backend::Kernels => self.config.frames_at_once(),
            Backend::Tensors => frames.max(1),
        };
        let parts = (0..frames).step_by(at_once).map(|first| {
            let pixels = pixels.narrow(0, first, at_once.min(frames - first))?;
            self.backend.on_pool(|| self.forward_at_once(&pixels))
        });
        Ok(Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)?)
    }

    fn forward_at_once(&self, pixels: &Tensor) -> Result<Tensor> {
        let patches = self.patch.forward(&self.patches(pixels)?)?;
        let mut x = patches.broadcast_add(&self.positions.to_dtype(patches.dtype())?)?;
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        match &self.post_norm {
            Some(norm) => Ok(norm.forward(&x)?),
            None => Ok(x),
        }
    }

    /// Cuts frames into flattened patches `[frames, patches, 3 * patch * patch]`, row-major: the convolution with
    /// stride = kernel is then a matrix product.
    fn patches(&self, pixels: &Tensor) -> Result<Tensor> {
        let (frames, _, _, _) = pixels.dims4()?;
        let (g, p) = (self.config.grid().rows, self.config.patch_side);
        let used = pixels.narrow(2, 0, g * p)?.narrow(3, 0, g * p)?.contiguous()?;
        let cut = used.reshape(vec![frames, 3, g, p, g, p])?.permute(vec![0, 2, 4, 1, 3, 5])?;
        Ok(cut.contiguous()?.reshape((frames, g * g, 3 * p * p))?)
    }
}

impl Layer {
    fn load(weights: &Weights<'_>, config: &SiglipConfig) -> Result<Self> {
        let c = config.hidden;
        let attention = |name: &str| Linear::load(&weights.below("self_attn").below(name), c, c, true);
        let mlp = |name: &str, inputs, outputs| {
            Linear::load(&weights.below("mlp").below(name), inputs, outputs, true)
        };
        Ok(Self {
            norm1: LayerNorm::load(&weights.below("layer_norm1"), c, config.eps)?,
            query: attention("q_proj")?,
            key: attention("k_proj")?,
            value: attention("v_proj")?,
            out: attention("out_proj")?,
            norm2: LayerNorm::load(&weights.below("layer_norm2"), c, config.eps)?,
            fc1: mlp("fc1", c, config.intermediate)?,
            fc2: mlp("fc2", config.intermediate, c)?,
            heads: config.heads,
            backend: weights.backend(),
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let attended = self.attend(&self.norm1.forward(x)?)?;
        let x = (x + self.out.forward(&attended)?)?;
        let hidden = self.backend.gelu_tanh(self.fc1.forward(&self.norm2.forward(&x)?)?)?;
        Ok((&x + self.fc2.forward(&hidden)?)?)
    }

    fn attend(&self, x: &Tensor) -> Result<Tensor> {
        let (frames, patches, width) = x.dims3()?;
        let split = |t: Tensor| t.reshape((frames, patches, self.heads, width / self.heads));
        let queries = split(self.query.forward(x)?)?;
        let keys = split(self.key.forward(x)?)?.transpose(1, 2)?;
        let values = split(self.value.forward(x)?)?.transpose(1, 2)?;
        Ok(self.backend.attention(&AttentionInput {
            queries: &queries,
            keys: &keys,
            values: &values,
            causal_offset: None,
            exact: self.query.is_exact(),
        })?)
    }
}
