//! Spatial pooling of each unit's grid of visual tokens, and progressive pooling over units
//! (arXiv 2409.20018, section 3.2): in every group of K units the first is pooled with a fine stride, the
//! rest with a coarse one, order kept. A unit is what the vision tower turns into one grid: mostly a frame.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::{named_enum, string_conversions};
use crate::{Grid, MethodError};

/// Bound that keeps every token count far from overflow.
const MAX_UNITS: usize = 1 << 20;

/// Which stride each unit gets. As text: `GROUP,FINE,COARSE` or `uniform,STRIDE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PoolSpec {
    /// Groups of `group` (K) units: the first with `fine_stride` (s_h), the others with `coarse_stride` (s_l).
    Progressive {
        /// Units in a group, K; the last group may be short and still starts with a fine unit.
        group: usize,
        /// Stride of a group's first unit.
        fine_stride: usize,
        /// Stride of the other units; at least `fine_stride`.
        coarse_stride: usize,
    },
    /// Every unit alike.
    Uniform {
        /// Stride of every unit.
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
    /// The role and stride of unit `ordinal`, counted from 0.
    pub fn unit(&self, ordinal: usize) -> (UnitRole, usize) {
        match *self {
            PoolSpec::Uniform { stride } => (UnitRole::Fine, stride),
            PoolSpec::Progressive { group, fine_stride, .. } if ordinal.is_multiple_of(group) => {
                (UnitRole::Fine, fine_stride)
            }
            PoolSpec::Progressive { coarse_stride, .. } => (UnitRole::Coarse, coarse_stride),
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
    /// Bilinear interpolation to ceil(grid / stride) an axis; see [`bilinear_axis`].
    #[default]
    Bilinear,
    /// Mean of each stride x stride window, floor(grid / stride) an axis.
    Average,
    /// Maximum of each stride x stride window, floor(grid / stride) an axis.
    Max,
}

named_enum!(PoolMode, "pooling mode", { Bilinear => "bilinear", Average => "average", Max => "max" });

/// Where the learned newline embedding stands among the visual tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NewlineMode {
    /// One, after the last unit (LLaVA-OneVision).
    #[default]
    OneToken,
    /// One after each row of each unit (LLaVA-Video).
    Grid,
    /// One after each unit.
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

/// The part a unit plays in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitRole {
    /// Pooled with the fine stride: the first of its group, or any unit under uniform pooling.
    Fine,
    /// Pooled with the coarse stride.
    Coarse,
}

/// One unit after pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PooledUnit {
    /// Its part in the group.
    pub role: UnitRole,
    /// Stride of its pooling.
    pub stride: usize,
    /// Its grid after pooling.
    pub grid: Grid,
    /// Tokens of that grid.
    pub visual_tokens: usize,
    /// Newlines inside this unit's span: one after each row (`grid`), one at its end (`frame`), else 0.
    pub newline_tokens: usize,
}

impl PooledUnit {
    /// Slots that the unit takes, its own newlines included.
    pub fn tokens(&self) -> usize {
        self.visual_tokens + self.newline_tokens
    }
}

/// The token counts of every unit, known before any tensor exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolPlan {
    /// Every unit's grid before pooling (27 x 27 for SigLIP so400m at 384 pixels).
    pub grid: Grid,
    /// Pooling mode.
    pub mode: PoolMode,
    /// Newline mode.
    pub newline: NewlineMode,
    /// The strides.
    pub spec: PoolSpec,
    /// The units, in time order.
    pub units: Vec<PooledUnit>,
}

impl PoolPlan {
    /// Plans `units` units of one grid.
    ///
    /// # Errors
    /// If the numbers do not fit together, or a stride would leave a unit without a token.
    pub fn new(
        grid: Grid,
        units: usize,
        spec: PoolSpec,
        mode: PoolMode,
        newline: NewlineMode,
    ) -> Result<PoolPlan, MethodError> {
        spec.validate()?;
        grid.validate()?;
        if !(1..=MAX_UNITS).contains(&units) {
            return Err(MethodError::Frames { frames: units, max: MAX_UNITS });
        }
        let pooled = |ordinal| {
            let (role, stride) = spec.unit(ordinal);
            let grid = pooled_grid(grid, stride, mode)?;
            let newline_tokens = match newline {
                NewlineMode::Grid => grid.time * grid.rows,
                NewlineMode::Frame => 1,
                NewlineMode::OneToken | NewlineMode::None => 0,
            };
            Ok(PooledUnit { role, stride, grid, visual_tokens: grid.tokens(), newline_tokens })
        };
        let units = (0..units).map(pooled).collect::<Result<_, _>>()?;
        Ok(PoolPlan { grid, mode, newline, spec, units })
    }

    /// Tokens that come from pixels; newlines are not counted.
    pub fn visual_tokens(&self) -> usize {
        self.units.iter().map(|unit| unit.visual_tokens).sum()
    }

    /// Newlines, inside units and after the last.
    pub fn newline_tokens(&self) -> usize {
        self.units.iter().map(|unit| unit.newline_tokens).sum::<usize>() + self.trailing_newline_tokens()
    }

    /// Newlines after the last unit that belong to no unit: 1 under `one_token`, else 0.
    pub fn trailing_newline_tokens(&self) -> usize {
        usize::from(self.newline == NewlineMode::OneToken)
    }

    /// Everything that takes a slot in the visual block.
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

/// Rows and columns pooled by one stride; slices in time stay apart.
fn pooled_grid(grid: Grid, stride: usize, mode: PoolMode) -> Result<Grid, MethodError> {
    let [rows, columns] = [grid.rows, grid.columns].map(|length| pooled_length(length, stride, mode));
    if rows == 0 || columns == 0 {
        let Grid { rows, columns, .. } = grid;
        return Err(MethodError::StrideTooLarge { stride, rows, columns, mode: mode.name() });
    }
    Ok(Grid { rows, columns, ..grid })
}

/// Tokens along an axis after pooling: ceil(length / stride) for bilinear, floor for average and max. 0 where
/// nothing is left (a window longer than the axis, or a stride of 0).
pub fn pooled_length(length: usize, stride: usize, mode: PoolMode) -> usize {
    match (stride, mode) {
        (0, _) => 0,
        (_, PoolMode::Bilinear) => length.div_ceil(stride),
        (_, PoolMode::Average | PoolMode::Max) => length / stride,
    }
}

/// Where one output of a bilinear axis comes from: `out = (1-w) in[i0] + w in[i1]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AxisTap {
    /// The lower input.
    pub i0: usize,
    /// The upper input, at most length - 1.
    pub i1: usize,
    /// The upper input's weight, from 0 up to, not including, 1.
    pub w: f64,
}

/// The taps of an axis of `length` tokens for bilinear pooling: `src = max(0, (o + 0.5) g/n - 0.5)`, that is
/// torch's `interpolate` with `align_corners=False` and no antialiasing. Empty for a length or stride of 0.
pub fn bilinear_axis(length: usize, stride: usize) -> Vec<AxisTap> {
    let pooled = pooled_length(length, stride, PoolMode::Bilinear);
    let step = length as f64 / pooled as f64;
    let tap = |o: usize| {
        let src = ((o as f64 + 0.5) * step - 0.5).max(0.0);
        let i0 = src as usize;
        AxisTap { i0, i1: (i0 + 1).min(length - 1), w: src - i0 as f64 }
    };
    (0..pooled).map(tap).collect()
}
