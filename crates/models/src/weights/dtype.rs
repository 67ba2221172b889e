//! What weights are stored as in memory.

use candle_core::DType;
use longsight_kernels::Format;
use serde::{Serialize, Serializer};
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// Type of the weights of a tower or a language model. Matrices take it; biases and norms stay floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WeightDtype {
    /// 32-bit floats.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
    /// 8 bits, an f32 scale for 128 weights; fits rows of every length.
    Int8,
    /// GGUF `Q8_0`.
    Q8_0,
    /// GGUF `Q6_K`.
    Q6K,
    /// GGUF `Q5_K`.
    Q5K,
    /// GGUF `Q5_1`.
    Q5_1,
    /// GGUF `Q5_0`.
    Q5_0,
    /// GGUF `Q4_K`.
    Q4K,
    /// GGUF `Q4_1`.
    Q4_1,
    /// GGUF `Q4_0`.
    Q4_0,
}

impl WeightDtype {
    /// Every dtype, the most precise first.
    pub const ALL: [Self; 12] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Int8,
        Self::Q8_0,
        Self::Q6K,
        Self::Q5K,
        Self::Q5_1,
        Self::Q5_0,
        Self::Q4K,
        Self::Q4_1,
        Self::Q4_0,
    ];

    /// Its name in flags, receipts and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Q8_0 => "q8_0",
            Self::Q6K => "q6k",
            Self::Q5K => "q5k",
            Self::Q5_1 => "q5_1",
            Self::Q5_0 => "q5_0",
            Self::Q4K => "q4k",
            Self::Q4_1 => "q4_1",
            Self::Q4_0 => "q4_0",
        }
    }

    /// The float type, or none when matrices are quantized.
    pub const fn float(self) -> Option<DType> {
        match self {
            Self::F32 => Some(DType::F32),
            Self::F16 => Some(DType::F16),
            Self::Bf16 => Some(DType::BF16),
            _ => None,
        }
    }

    /// The stored format of matrices with rows of `inputs` weights. Where rows are no whole number of blocks: `Q8_0` for
    /// the K-quants, and int8 where that does not fit either. None for floats.
    pub fn format(self, inputs: usize) -> Option<Format> {
        let asked = match self {
            Self::F32 | Self::F16 | Self::Bf16 => return None,
            Self::Int8 => Format::Int8,
            Self::Q8_0 => Format::Q8_0,
            Self::Q6K => Format::Q6K,
            Self::Q5K => Format::Q5K,
            Self::Q5_1 => Format::Q5_1,
            Self::Q5_0 => Format::Q5_0,
            Self::Q4K => Format::Q4K,
            Self::Q4_1 => Format::Q4_1,
            Self::Q4_0 => Format::Q4_0,
        };
        [asked, Format::Q8_0, Format::Int8].into_iter().find(|format| format.fits(inputs))
    }

    /// The dtype that stores matrices in `format`.
    pub const fn of(format: Format) -> Self {
        match format {
            Format::Int8 => Self::Int8,
            Format::Q8_0 => Self::Q8_0,
            Format::Q6K => Self::Q6K,
            Format::Q5K => Self::Q5K,
            Format::Q5_1 => Self::Q5_1,
            Format::Q5_0 => Self::Q5_0,
            Format::Q4K => Self::Q4K,
            Format::Q4_1 => Self::Q4_1,
            Format::Q4_0 => Self::Q4_0,
        }
    }

    /// Bytes of a tensor of `shape`, a matrix where `matrix` says so.
    pub fn bytes(self, shape: &[usize], matrix: bool) -> u64 {
        match (self.float(), shape) {
            (None, [outputs, inputs]) if matrix => {
                self.format(*inputs).map_or(0, |format| (outputs * format.row_bytes(*inputs)) as u64)
            }
            (float, _) => {
                (shape.iter().product::<usize>() * float.unwrap_or(DType::F32).size_in_bytes()) as u64
            }
        }
    }
}

impl Serialize for WeightDtype {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Display for WeightDtype {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WeightDtype {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|dtype| dtype.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            format!("`{text}` is no dtype of weights; there are {names}")
        })
    }
}

impl From<DType> for WeightDtype {
    /// Types that weights cannot have count as f32.
    fn from(dtype: DType) -> Self {
        match dtype {
            DType::F16 => Self::F16,
            DType::BF16 => Self::Bf16,
            _ => Self::F32,
        }
    }
}

impl Display for Dtypes {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self.text == self.vision {
            true => write!(f, "{}", self.text),
            false => write!(f, "{}, tower {}", self.text, self.vision),
        }
    }
}

/// The dtypes of both halves of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dtypes {
    /// The language model's; `dtype` in receipts, as the flag.
    #[serde(rename = "dtype")]
    pub text: WeightDtype,
    /// The tower's and the projector's; `vision_dtype` in receipts.
    #[serde(rename = "vision_dtype")]
    pub vision: WeightDtype,
}

/// Matrices that are stored alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StoredMatrices {
    /// What they are stored as.
    pub dtype: WeightDtype,
    /// How many.
    pub count: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl Dtypes {
    /// What was asked for, where nothing was `own` of the checkpoint. The tower follows a language model in floats; beside
    /// a quantized one it takes int8 and nothing coarser, unless asked.
    pub fn resolve(text: Option<WeightDtype>, vision: Option<WeightDtype>, own: WeightDtype) -> Self {
        let text = text.unwrap_or(own);
        let follows = if text.float().is_some() { text } else { WeightDtype::Int8 };
        Self { text, vision: vision.unwrap_or(follows) }
    }
}
