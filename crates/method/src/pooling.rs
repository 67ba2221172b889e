//! Spatial pooling of each frame's grid of visual tokens, and progressive pooling over frames
//! (arXiv 2409.20018, section 3.2): in every group of K frames the first is pooled with a fine stride, the
//! rest with a coarse one, frame order kept.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::MethodError;
use crate::names::{named_enum, string_conversions};

/// Bounds that keep every token count far from overflow, and a hostile config from asking for gigabytes.
const MAX_GRID_SIDE: usize = 1024;
const MAX_FRAMES: usize = 1 << 20;

/// Which stride each frame gets. As text: `GROUP,FINE,COARSE` or `uniform,STRIDE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PoolSpec {
    /// Groups of `group` (K) frames: the first with `fine_stride` (s_h), the others with `coarse_stride` (s_l).
    Progressive {
        /// Frames in a group, K; the last group may be short and still starts with a fine frame.
        group: usize,
        /// Stride of a group's first frame.
        fine_stride: usize,
        /// Stride of the other frames; at least `fine_stride`.
        coarse_stride: usize,
    },
    /// Every frame alike.
    Uniform {
        /// Stride of every frame.
        stride: usize,
    },
}

impl Default for PoolSpec {
    fn default() -> Self {
        PoolSpec::Progressive { group: 4, fine_stride: 2, coarse_stride: 8 }
    }
}

impl fmt::Display for PoolSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PoolSpec::Progressive { group, fine_stride, coarse_stride } => {
                write!(f, "{group},{fine_stride},{coarse_stride}")
            }
            PoolSpec::Uniform { stride } => write!(f, "uniform,{stride}"),
        }
    }
}

impl FromStr for PoolSpec {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        let syntax = || MethodError::PoolSyntax { given: text.to_owned() };
        let number = |part: &str| part.trim().parse::<usize>().map_err(|_| syntax());
        let parts: Vec<&str> = text.split(',').collect();
        let spec = match parts[..] {
            ["uniform", stride] => PoolSpec::Uniform { stride: number(stride)? },
            [group, fine, coarse] => PoolSpec::Progressive {
                group: number(group)?,
                fine_stride: number(fine)?,
                coarse_stride: number(coarse)?,
            },
            _ => return Err(syntax()),
        };
        spec.validate().map(|()| spec)
    }
}

string_conversions!(PoolSpec);

impl PoolSpec {
    /// The role and stride of frame `ordinal`, counted from 0.
    pub fn frame(&self, ordinal: usize) -> (FrameRole, usize) {
        match *self {
            PoolSpec::Uniform { stride } => (FrameRole::Fine, stride),
            PoolSpec::Progressive { group, fine_stride, .. } if ordinal.is_multiple_of(group) => {
                (FrameRole::Fine, fine_stride)
            }
            PoolSpec::Progressive { coarse_stride, .. } => (FrameRole::Coarse, coarse_stride),
        }
    }

    fn validate(&self) -> Result<(), MethodError> {
        let sound = match *self {
            PoolSpec::Uniform { stride } => stride >= 1,
            PoolSpec::Progressive { group, fine_stride, coarse_stride } => {
                group >= 1 && fine_stride >= 1 && coarse_stride >= fine_stride
            }
        };
        if sound { Ok(()) } else { Err(MethodError::PoolNumbers { spec: self.to_string() }) }
    }
}

/// How one output token is made of input tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PoolMode {
    /// Bilinear interpolation to ceil(grid / stride) a side; see [`bilinear_axis`].
    #[default]
    Bilinear,
    /// Mean of each stride x stride window, floor(grid / stride) a side.
    Average,
    /// Maximum of each stride x stride window, floor(grid / stride) a side.
    Max,
}

named_enum!(PoolMode, "pooling mode", { Bilinear => "bilinear", Average => "average", Max => "max" });

/// Where the learned newline embedding stands among the visual tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NewlineMode {
    /// One, after the last frame (LLaVA-OneVision).
    #[default]
    OneToken,
    /// One after each row of each frame (LLaVA-Video).
    Grid,
    /// One after each frame.
    Frame,
    /// None at all.
    None,
}

named_enum!(NewlineMode, "newline mode", {
    OneToken => "one_token",
    Grid => "grid",
    Frame => "frame",
    None => "no_token",
});

/// The part a frame plays in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FrameRole {
    /// Pooled with the fine stride: the first of its group, or any frame under uniform pooling.
    Fine,
    /// Pooled with the coarse stride.
    Coarse,
}

/// One frame after pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PooledFrame {
    /// Its part in the group.
    pub role: FrameRole,
    /// Stride of its pooling.
    pub stride: usize,
    /// Tokens a side.
    pub side: usize,
    /// side * side.
    pub visual_tokens: usize,
    /// Newlines inside this frame's span: one after each row (`grid`), one at its end (`frame`), else 0.
    pub newline_tokens: usize,
}

impl PooledFrame {
    /// Positions that the frame takes, its own newlines included.
    pub fn tokens(&self) -> usize {
        self.visual_tokens + self.newline_tokens
    }
}

/// The token counts of every frame, known before any tensor exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolPlan {
    /// Patches a side of the vision tower's grid (27 for SigLIP so400m at 384 pixels).
    pub grid_side: usize,
    /// Pooling mode.
    pub mode: PoolMode,
    /// Newline mode.
    pub newline: NewlineMode,
    /// The strides.
    pub spec: PoolSpec,
    /// The frames, in time order.
    pub frames: Vec<PooledFrame>,
}

impl PoolPlan {
    /// Plans `frames` frames of a grid_side x grid_side grid.
    ///
    /// # Errors
    /// If the numbers do not fit together, or a stride would leave a frame without a token.
    pub fn new(
        grid_side: usize,
        frames: usize,
        spec: PoolSpec,
        mode: PoolMode,
        newline: NewlineMode,
    ) -> Result<PoolPlan, MethodError> {
        spec.validate()?;
        if !(1..=MAX_GRID_SIDE).contains(&grid_side) {
            return Err(MethodError::GridSide { grid_side, max: MAX_GRID_SIDE });
        }
        if !(1..=MAX_FRAMES).contains(&frames) {
            return Err(MethodError::Frames { frames, max: MAX_FRAMES });
        }
        let pooled = |ordinal| {
            let (role, stride) = spec.frame(ordinal);
            let side = pooled_side(grid_side, stride, mode);
            if side == 0 {
                return Err(MethodError::StrideTooLarge { stride, grid_side, mode: mode.name() });
            }
            let newline_tokens = match newline {
                NewlineMode::Grid => side,
                NewlineMode::Frame => 1,
                NewlineMode::OneToken | NewlineMode::None => 0,
            };
            Ok(PooledFrame { role, stride, side, visual_tokens: side * side, newline_tokens })
        };
        let frames = (0..frames).map(pooled).collect::<Result<_, _>>()?;
        Ok(PoolPlan { grid_side, mode, newline, spec, frames })
    }

    /// Tokens that come from pixels; newlines are not counted.
    pub fn visual_tokens(&self) -> usize {
        self.frames.iter().map(|frame| frame.visual_tokens).sum()
    }

    /// Newlines, inside frames and after the last.
    pub fn newline_tokens(&self) -> usize {
        self.frames.iter().map(|frame| frame.newline_tokens).sum::<usize>() + self.trailing_newline_tokens()
    }

    /// Newlines after the last frame that belong to no frame: 1 under `one_token`, else 0.
    pub fn trailing_newline_tokens(&self) -> usize {
        usize::from(self.newline == NewlineMode::OneToken)
    }

    /// Everything that takes a position in the visual block.
    pub fn total_tokens(&self) -> usize {
        self.visual_tokens() + self.newline_tokens()
    }

    /// The number that the scale s compares with the training window.
    ///
    /// Visual tokens alone, except under `grid`: the published windows of LLaVA-Video (64 x 210) count its
    /// row newlines, so they are counted here too and like is compared with like.
    pub fn window_tokens(&self) -> usize {
        match self.newline {
            NewlineMode::Grid => self.total_tokens(),
            _ => self.visual_tokens(),
        }
    }
}

/// Tokens a side after pooling: ceil(grid / stride) for bilinear, floor for average and max. 0 where
/// nothing is left (a window larger than the grid, or a stride of 0).
pub fn pooled_side(grid_side: usize, stride: usize, mode: PoolMode) -> usize {
    match (stride, mode) {
        (0, _) => 0,
        (_, PoolMode::Bilinear) => grid_side.div_ceil(stride),
        (_, PoolMode::Average | PoolMode::Max) => grid_side / stride,
    }
}

/// Where one output of a bilinear axis comes from: `out = (1-w) in[i0] + w in[i1]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AxisTap {
    /// The lower input.
    pub i0: usize,
    /// The upper input, at most grid_side - 1.
    pub i1: usize,
    /// The upper input's weight, from 0 up to, not including, 1.
    pub w: f64,
}

/// The taps of rows and columns alike for bilinear pooling: `src = max(0, (o + 0.5) g/n - 0.5)`, that is
/// torch's `interpolate` with `align_corners=False` and no antialiasing. Empty for a grid or stride of 0.
pub fn bilinear_axis(grid_side: usize, stride: usize) -> Vec<AxisTap> {
    let side = pooled_side(grid_side, stride, PoolMode::Bilinear);
    let step = grid_side as f64 / side as f64;
    let tap = |o: usize| {
        let src = ((o as f64 + 0.5) * step - 0.5).max(0.0);
        let i0 = src as usize;
        AxisTap { i0, i1: (i0 + 1).min(grid_side - 1), w: src - i0 as f64 }
    };
    (0..side).map(tap).collect()
}
