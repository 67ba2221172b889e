use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::MethodError;
use crate::names::{named_enum, string_conversions};

/// Far above any model's head, and small enough that a hostile config cannot ask for gigabytes.
const MAX_HEAD_DIM: usize = 8192;

/// How positions past the training window are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ContextMethod {
    /// Direct extrapolation: frequencies as trained.
    None,
    /// Position interpolation (PI): every frequency divided by s.
    Linear,
    /// NTK-aware base change: theta times s^(d/(d-2)).
    Ntk,
    /// YaRN: a ramp between the two, from the language window.
    Yarn,
    /// Visual context window extension (arXiv 2409.20018): YaRN's ramp, from the visual window.
    #[default]
    Vcwe,
}

named_enum!(ContextMethod, "context method", {
    None => "none",
    Linear => "linear",
    Ntk => "ntk",
    Yarn => "yarn",
    Vcwe => "vcwe",
});

/// The ramp of `yarn` and `vcwe` between pairs that are kept and pairs that are divided by s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Ramp {
    /// Linear in the pair index between floor(dim(beta)) and ceil(dim(alpha)), as YaRN's code does.
    #[default]
    Truncated,
    /// Linear in the pair index between dim(beta) and dim(alpha), not rounded.
    Untruncated,
    /// Linear in the rotations inside the window: the equation as the papers print it.
    Rotation,
}

named_enum!(Ramp, "ramp", {
    Truncated => "truncated",
    Untruncated => "untruncated",
    Rotation => "rotation",
});

/// The scale s: from the prompt, or fixed. As text: `auto` or a number.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scale {
    /// max(1, visual tokens / window).
    #[default]
    Auto,
    /// This number, finite and at least 1.
    Fixed(f64),
}

impl FromStr for Scale {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        if text == "auto" {
            return Ok(Scale::Auto);
        }
        let scale = text.parse().map(Scale::Fixed);
        let scale = scale.map_err(|_| MethodError::Scale { given: text.to_owned() })?;
        scale.validate().map(|()| scale)
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scale::Auto => f.pad("auto"),
            Scale::Fixed(scale) => write!(f, "{scale}"),
        }
    }
}

string_conversions!(Scale);

impl Scale {
    fn validate(self) -> Result<(), MethodError> {
        match self {
            Scale::Fixed(scale) if !(scale.is_finite() && scale >= 1.0) => {
                Err(MethodError::Scale { given: scale.to_string() })
            }
            _ => Ok(()),
        }
    }
}

/// What the user chooses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RopeSettings {
    /// The context method.
    pub method: ContextMethod,
    /// The scale s.
    pub scale: Scale,
    /// Whether `yarn` and `vcwe` multiply cos and sin by 0.1 ln s + 1.
    pub attention_factor: bool,
    /// Pairs with fewer rotations inside the window than this are divided by s in full.
    pub alpha: f64,
    /// Pairs with more rotations inside the window than this are left alone.
    pub beta: f64,
    /// The ramp between them.
    pub ramp: Ramp,
}

impl Default for RopeSettings {
    fn default() -> Self {
        RopeSettings {
            method: ContextMethod::default(),
            scale: Scale::default(),
            attention_factor: true,
            alpha: 1.0,
            beta: 32.0,
            ramp: Ramp::default(),
        }
    }
}

impl RopeSettings {
    pub(super) fn validate(&self) -> Result<(), MethodError> {
        self.scale.validate()?;
        let (alpha, beta) = (self.alpha, self.beta);
        if !(alpha > 0.0 && alpha < beta && beta.is_finite()) {
            return Err(MethodError::RampBounds { alpha, beta });
        }
        Ok(())
    }
}

/// What the model fixes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RopeShape {
    /// Channels of one attention head, d; even.
    pub head_dim: usize,
    /// RoPE base, b.
    pub theta: f64,
    /// Visual tokens of the longest video in training.
    pub visual_window_tokens: usize,
    /// Tokens of the longest text in training (`max_position_embeddings`).
    pub language_window_tokens: usize,
}

impl RopeShape {
    pub(super) fn validate(&self) -> Result<(), MethodError> {
        let head_dim = self.head_dim;
        if !head_dim.is_multiple_of(2) || !(2..=MAX_HEAD_DIM).contains(&head_dim) {
            return Err(MethodError::HeadDim { head_dim, max: MAX_HEAD_DIM });
        }
        if !(self.theta.is_finite() && self.theta > 1.0) {
            return Err(MethodError::Theta { theta: self.theta });
        }
        if self.visual_window_tokens == 0 {
            return Err(MethodError::Window { which: "visual" });
        }
        if self.language_window_tokens == 0 {
            return Err(MethodError::Window { which: "language" });
        }
        Ok(())
    }
}
