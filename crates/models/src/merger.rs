//! Patch features to visual tokens of the language model's width.

use crate::Result;
use crate::backend::Backend;
use crate::layers::Linear;
use crate::weights::Weights;
use candle_core::Tensor;
use longsight_method::Grid;

/// How a merger is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergerConfig {
    /// Linear, exact GELU, Linear, patch by patch (LLaVA's `mlp2x_gelu`).
    Mlp,
    /// The channels of each `scale` x `scale` block of patches side by side, then one Linear without bias (SmolVLM).
    PixelShuffle {
        /// Patches along a side of a block; divides the tower's grid.
        scale: usize,
    },
}

impl MergerConfig {
    /// The grid of visual tokens that a grid of patches becomes.
    pub fn grid(self, patches: Grid) -> Grid {
        match self {
            Self::Mlp => patches,
            Self::PixelShuffle { scale } => {
                Grid { rows: patches.rows / scale, columns: patches.columns / scale, ..patches }
            }
        }
    }

    /// Multiply-adds for one grid of patches of `width` channels, to tokens of `hidden`; saturates.
    pub fn multiply_adds(self, patches: Grid, width: usize, hidden: usize) -> u64 {
        let [tokens, width, hidden] = [patches.tokens(), width, hidden].map(|n| n as u64);
        let first = tokens.saturating_mul(width).saturating_mul(hidden);
        match self {
            Self::Mlp => first.saturating_add(tokens.saturating_mul(hidden).saturating_mul(hidden)),
            Self::PixelShuffle { .. } => first,
        }
    }
}

/// The merger.
pub enum Merger {
    /// See [`MergerConfig::Mlp`].
    Mlp {
        /// To the width of tokens.
        first: Linear,
        /// From and to the width of tokens.
        second: Linear,
        /// Who computes the activation.
        backend: Backend,
    },
    /// See [`MergerConfig::PixelShuffle`].
    PixelShuffle {
        /// Patches of a frame.
        patches: Grid,
        /// Patches along a side of a block.
        scale: usize,
        /// From `scale * scale * width` channels.
        linear: Linear,
    },
}

impl Merger {
    /// Loads a merger of features `[.., patches, width]` to tokens of `hidden` channels.
    pub fn load(
        weights: &Weights<'_>,
        config: MergerConfig,
        patches: Grid,
        width: usize,
        hidden: usize,
    ) -> Result<Self> {
        Ok(match config {
            MergerConfig::Mlp => Self::Mlp {
                first: Linear::load(&weights.below("0"), width, hidden, true)?,
                second: Linear::load(&weights.below("1"), hidden, hidden, true)?,
                backend: weights.backend(),
            },
            MergerConfig::PixelShuffle { scale } => {
                let linear = Linear::load(weights, width * scale * scale, hidden, false)?;
                Self::PixelShuffle { patches, scale, linear }
            }
        })
    }

    /// `[frames, patches, width]` -> `[frames, visual tokens, hidden]`.
    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        match self {
            Self::Mlp { first, second, backend } => {
                Ok(second.forward(&backend.gelu_erf(first.forward(features)?)?)?)
            }
            Self::PixelShuffle { patches, scale, linear } => {
                Ok(linear.forward(&pixel_shuffle(features, *patches, *scale)?)?)
            }
        }
    }
}

/// Token (I, J) is the channels of patches (I scale + i, J scale + j), i outer, j inner: `[frames, patches, width]` ->
/// `[frames, patches / scale^2, width scale^2]` (transformers, `SmolVLMConnector.pixel_shuffle`).
fn pixel_shuffle(features: &Tensor, patches: Grid, scale: usize) -> candle_core::Result<Tensor> {
    let (frames, _, width) = features.dims3()?;
    let (rows, columns) = (patches.rows / scale, patches.columns / scale);
    let blocks = features.reshape(vec![frames, rows, scale, columns, scale, width])?;
    let joined = blocks.permute(vec![0, 1, 3, 2, 4, 5])?.contiguous()?;
    joined.reshape((frames, rows * columns, scale * scale * width))
}
