//! The model shapes that seeded checkpoints come in.

use crate::layouts::Layout;
use crate::safetensors_writer::{Dtype, TensorSpec};
use crate::tokenizer::Tokenizer;

/// Qwen2's sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct TextShape {
    /// Width H.
    pub hidden: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Channels of a head; written to the config only where it is not hidden / heads.
    pub head_dim: usize,
    /// Width of the gated MLP.
    pub mlp: usize,
    /// RoPE base.
    pub theta: f64,
    /// Language window, tokens.
    pub max_positions: usize,
    /// Embedding rows in the original (lmms-lab) layout.
    pub rows: usize,
    /// Embedding rows in the HF layouts, which are padded.
    pub padded_rows: usize,
    /// Whether the head shares the embedding's weights (then no `lm_head` is written).
    pub tied: bool,
}

/// SigLIP's sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct TowerShape {
    /// Width C.
    pub hidden: usize,
    /// Encoder layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of the MLP.
    pub mlp: usize,
    /// Side of the input, pixels.
    pub image_size: usize,
    /// Side of a patch, pixels.
    pub patch: usize,
}

/// LLaVA-Video's differences from LLaVA-OneVision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// One newline embedding after the last frame, bilinear pooling.
    OneVision,
    /// A newline embedding after each row of each frame, average pooling, time instruction.
    Video,
}

/// A whole model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelShape {
    /// Language model.
    pub text: TextShape,
    /// Vision tower.
    pub tower: TowerShape,
    /// How visual tokens are laid out.
    pub family: Family,
    /// Vocabulary.
    pub tokenizer: Tokenizer,
}

/// A model shape by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A few MB: grid 27 with patches of 2 pixels, head 32, GQA, tied head, tiny vocabulary.
    Tiny,
    /// LLaVA-OneVision 0.5B: Qwen2-0.5B and so400m.
    Ov05b,
    /// LLaVA-OneVision 7B: Qwen2-7B and so400m.
    Ov7b,
    /// LLaVA-OneVision 72B: Qwen2-72B and so400m.
    Ov72b,
    /// LLaVA-Video 7B: the sizes of LLaVA-OneVision 7B (always written in the original layout upstream).
    LlavaVideo7b,
    /// Any other.
    Custom(ModelShape),
}

impl Shape {
    /// Its sizes.
    pub fn model(&self) -> ModelShape {
        let model = |text, family| ModelShape { text, tower: so400m(), family, tokenizer: Tokenizer::Qwen };
        match self {
            Self::Tiny => tiny(),
            Self::Ov05b => model(qwen2_05b(), Family::OneVision),
            Self::Ov7b => model(qwen2_7b(), Family::OneVision),
            Self::Ov72b => model(qwen2_72b(), Family::OneVision),
            Self::LlavaVideo7b => model(qwen2_7b(), Family::Video),
            Self::Custom(shape) => shape.clone(),
        }
    }
}

fn so400m() -> TowerShape {
    TowerShape { hidden: 1152, layers: 26, heads: 16, mlp: 4304, image_size: 384, patch: 14 }
}

fn qwen2_05b() -> TextShape {
    TextShape {
        hidden: 896,
        layers: 24,
        heads: 14,
        kv_heads: 2,
        head_dim: 64,
        mlp: 4864,
        theta: 1e6,
        max_positions: 32768,
        rows: 151_936,
        padded_rows: 152_000,
        tied: true,
    }
}

fn qwen2_7b() -> TextShape {
    TextShape {
        hidden: 3584,
        layers: 28,
        heads: 28,
        kv_heads: 4,
        head_dim: 128,
        mlp: 18944,
        theta: 1e6,
        max_positions: 32768,
        rows: 152_064,
        padded_rows: 152_128,
        tied: false,
    }
}

fn qwen2_72b() -> TextShape {
    TextShape {
        hidden: 8192,
        layers: 80,
        heads: 64,
        kv_heads: 8,
        head_dim: 128,
        mlp: 29568,
        theta: 1e6,
        max_positions: 32768,
        rows: 152_064,
        padded_rows: 152_128,
        tied: false,
    }
}

fn tiny() -> ModelShape {
    let tokenizer = Tokenizer::Tiny;
    let text = TextShape {
        hidden: 128,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        head_dim: 32,
        mlp: 320,
        theta: 1e6,
        max_positions: 32768,
        rows: tokenizer.size(),
        padded_rows: tokenizer.size() + 16,
        tied: true,
    };
    let tower = TowerShape { hidden: 72, layers: 2, heads: 4, mlp: 200, image_size: 55, patch: 2 };
    ModelShape { text, tower, family: Family::OneVision, tokenizer }
}

impl ModelShape {
    /// Embedding rows of a layout.
    pub fn rows(&self, layout: Layout) -> usize {
        if layout == Layout::LmmsLab { self.text.rows } else { self.text.padded_rows }
    }

    /// Every tensor, named as llava-hf names them on disk, in the order of the forward pass.
    pub fn tensors(&self, layout: Layout, dtype: Dtype) -> Vec<TensorSpec> {
        let mut list = TensorList { dtype, tensors: Vec::new() };
        list.tower(&self.tower);
        let (h, c) = (self.text.hidden, self.tower.hidden);
        list.linear("multi_modal_projector.linear_1", h, c, true);
        list.linear("multi_modal_projector.linear_2", h, h, true);
        list.push("image_newline", &[h]);
        list.decoder(&self.text, self.rows(layout));
        list.tensors
    }
}

struct TensorList {
    dtype: Dtype,
    tensors: Vec<TensorSpec>,
}

impl TensorList {
    fn push(&mut self, name: &str, shape: &[usize]) {
        self.tensors.push(TensorSpec::new(name, shape, self.dtype));
    }

    fn linear(&mut self, name: &str, outputs: usize, inputs: usize, bias: bool) {
        self.push(&format!("{name}.weight"), &[outputs, inputs]);
        if bias {
            self.push(&format!("{name}.bias"), &[outputs]);
        }
    }

    fn layer_norm(&mut self, name: &str, width: usize) {
        self.push(&format!("{name}.weight"), &[width]);
        self.push(&format!("{name}.bias"), &[width]);
    }

    fn tower(&mut self, tower: &TowerShape) {
        let root = "vision_tower.vision_model";
        let (c, patch, grid) = (tower.hidden, tower.patch, tower.image_size / tower.patch);
        self.push(&format!("{root}.embeddings.patch_embedding.weight"), &[c, 3, patch, patch]);
        self.push(&format!("{root}.embeddings.patch_embedding.bias"), &[c]);
        self.push(&format!("{root}.embeddings.position_embedding.weight"), &[grid * grid, c]);
        for layer in 0..tower.layers {
            let layer = format!("{root}.encoder.layers.{layer}");
            self.layer_norm(&format!("{layer}.layer_norm1"), c);
            for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                self.linear(&format!("{layer}.self_attn.{part}"), c, c, true);
            }
            self.layer_norm(&format!("{layer}.layer_norm2"), c);
            self.linear(&format!("{layer}.mlp.fc1"), tower.mlp, c, true);
            self.linear(&format!("{layer}.mlp.fc2"), c, tower.mlp, true);
        }
        self.layer_norm(&format!("{root}.post_layernorm"), c);
    }

    fn decoder(&mut self, text: &TextShape, rows: usize) {
        let root = "language_model.model";
        let (h, queries, keys) = (text.hidden, text.heads * text.head_dim, text.kv_heads * text.head_dim);
        self.push(&format!("{root}.embed_tokens.weight"), &[rows, h]);
        for layer in 0..text.layers {
            let layer = format!("{root}.layers.{layer}");
            self.push(&format!("{layer}.input_layernorm.weight"), &[h]);
            self.linear(&format!("{layer}.self_attn.q_proj"), queries, h, true);
            self.linear(&format!("{layer}.self_attn.k_proj"), keys, h, true);
            self.linear(&format!("{layer}.self_attn.v_proj"), keys, h, true);
            self.linear(&format!("{layer}.self_attn.o_proj"), h, queries, false);
            self.push(&format!("{layer}.post_attention_layernorm.weight"), &[h]);
            self.linear(&format!("{layer}.mlp.gate_proj"), text.mlp, h, false);
            self.linear(&format!("{layer}.mlp.up_proj"), text.mlp, h, false);
            self.linear(&format!("{layer}.mlp.down_proj"), h, text.mlp, false);
        }
        self.push(&format!("{root}.norm.weight"), &[h]);
        if !text.tied {
            self.push("language_model.lm_head.weight", &[rows, h]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(shape: &Shape, layout: Layout) -> usize {
        let tensors = shape.model().tensors(layout, Dtype::Bf16);
        tensors.iter().map(|t| t.shape.iter().product::<usize>()).sum()
    }

    #[test]
    fn published_parameter_counts() {
        // Qwen2-0.5B has 494,032,768 parameters and Qwen2-7B 7,615,616,512; the rest is tower and projector.
        let tower_and_projector = |h: usize| 397_752_064 + 1152 * 729 + h + h * (1152 + h + 2) + h;
        let without = |shape: &Shape, h: usize| {
            let all = parameters(shape, Layout::LmmsLab);
            let visual: usize = shape
                .model()
                .tensors(Layout::LmmsLab, Dtype::F32)
                .iter()
                .filter(|t| !t.name.starts_with("language_model"))
                .map(|t| t.size_bytes / 4)
                .sum();
            assert!(visual < tower_and_projector(h) + 20_000_000);
            all - visual
        };
        assert_eq!(without(&Shape::Ov05b, 896), 494_032_768);
        assert_eq!(without(&Shape::Ov7b, 3584), 7_615_616_512);
    }

    #[test]
    fn hf_rows_are_padded() {
        assert_eq!(Shape::Ov05b.model().rows(Layout::LlavaHf), 152_000);
        assert_eq!(Shape::LlavaVideo7b.model().rows(Layout::LmmsLab), 152_064);
    }
}
