/// What can be wrong with a setting or a shape; each message is one line with the remedy in it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MethodError {
    /// A name that is none of the accepted ones.
    #[error("unknown {what} {given:?}: use one of {accepted}")]
    UnknownName {
        /// The setting, in words.
        what: &'static str,
        /// What was given.
        given: String,
        /// The accepted names, joined by commas.
        accepted: String,
    },
    /// A scale that is neither `auto` nor a finite number of at least 1.
    #[error("scale {given:?} cannot be used: give \"auto\" or a finite number of at least 1")]
    Scale {
        /// What was given.
        given: String,
    },
    /// A head dimension that RoPE cannot rotate.
    #[error("RoPE head_dim {head_dim} cannot be used: it must be even and from 2 to {max}")]
    HeadDim {
        /// Channels of one attention head.
        head_dim: usize,
        /// The largest that is accepted.
        max: usize,
    },
    /// The NTK exponent d/(d-2) does not exist for d = 2.
    #[error("context method ntk needs a head_dim above 2 (its exponent is d/(d-2)): choose another method")]
    NtkHeadDim,
    /// NTK's changed base is too large for a floating-point number.
    #[error("context method ntk: theta {theta} at scale {scale} is not finite: lower the scale")]
    NtkOverflow {
        /// RoPE base of the model.
        theta: f64,
        /// The scale s.
        scale: f64,
    },
    /// A RoPE base that is not a finite number above 1.
    #[error("RoPE theta {theta} cannot be used: it must be a finite number above 1")]
    Theta {
        /// RoPE base.
        theta: f64,
    },
    /// A training window of no tokens.
    #[error("the {which} window is 0 tokens: give the length that the model was trained with")]
    Window {
        /// `visual` or `language`.
        which: &'static str,
    },
    /// alpha and beta that do not make a ramp.
    #[error("alpha {alpha} and beta {beta} cannot be used: both must be finite with 0 < alpha < beta")]
    RampBounds {
        /// Rotations below which a pair is interpolated in full.
        alpha: f64,
        /// Rotations above which a pair is left alone.
        beta: f64,
    },
    /// A pooling text that is not understood.
    #[error("pooling {given:?} cannot be used: give \"GROUP,FINE,COARSE\" (as 4,2,8) or \"uniform,STRIDE\"")]
    PoolSyntax {
        /// What was given.
        given: String,
    },
    /// A pooling whose numbers do not fit together.
    #[error("pooling {spec} cannot be used: group and strides must be at least 1, and coarse at least fine")]
    PoolNumbers {
        /// The pooling as text.
        spec: String,
    },
    /// Average or max pooling with a window larger than the grid.
    #[error(
        "stride {stride} leaves no token of a {rows}x{columns} grid under {mode} pooling: use at most {}",
        rows.min(columns)
    )]
    StrideTooLarge {
        /// Stride of the pooling.
        stride: usize,
        /// Rows of the grid.
        rows: usize,
        /// Columns of the grid.
        columns: usize,
        /// Pooling mode.
        mode: &'static str,
    },
    /// A grid of nothing, or one far beyond any vision tower.
    #[error("a vision grid of {rows}x{columns} cannot be used: both must be from 1 to {max}")]
    Grid {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
        /// The largest that is accepted.
        max: usize,
    },
    /// No frames, or more than any plan can hold.
    #[error("{frames} frames cannot be planned: ask for 1 to {max}")]
    Frames {
        /// Frames asked for.
        frames: usize,
        /// The most that is accepted.
        max: usize,
    },
}
