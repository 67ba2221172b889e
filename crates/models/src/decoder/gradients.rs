//! Gradients through a whole decoder: embeddings, blocks over a joining cache, tied head.

use super::*;
use crate::gradients::{check, linear, noise, rotary};

const CONFIG: DecoderConfig = DecoderConfig {
    hidden: 6,
    intermediate: 5,
    layers: 2,
    heads: 2,
    kv_heads: 1,
    head_dim: 4,
    qkv_bias: true,
    rope_theta: 100.0,
    max_positions: 64,
    eps: 1e-6,
    tied_head: true,
};

/// The shapes of a block's weights, in the order that [`block`] takes them.
const SHAPES: [&[usize]; 12] =
    [&[6], &[8, 6], &[8], &[4, 6], &[4], &[4, 6], &[4], &[6, 8], &[6], &[5, 6], &[5, 6], &[6, 5]];

fn block(w: &[Tensor]) -> Block {
    let backend = Backend::Tensors;
    let norm = |weight: &Tensor| RmsNorm::new(weight.clone(), CONFIG.eps, backend);
    Block {
        norm1: norm(&w[0]),
        query: linear(&w[1], Some(&w[2])),
        key: linear(&w[3], Some(&w[4])),
        value: linear(&w[5], Some(&w[6])),
        out: linear(&w[7], None),
        norm2: norm(&w[8]),
        gate: linear(&w[9], None),
        up: linear(&w[10], None),
        down: linear(&w[11], None),
        heads: (CONFIG.heads, CONFIG.kv_heads, CONFIG.head_dim),
        backend,
    }
}

fn block_weights(seed: u64) -> Vec<Tensor> {
    SHAPES.iter().zip(seed..).map(|(shape, seed)| noise(shape, seed)).collect()
}

fn cache() -> KvCache {
    KvCache::joining(CONFIG.kv_shape(), 8, &Device::Cpu).unwrap()
}

#[test]
fn a_block() {
    let inputs = [vec![noise(&[4, 6], 1)], block_weights(2)].concat();
    check("block", &inputs, |v| {
        let (next, _) = block(&v[1..])
            .forward(&v[0], &rotary(0..4), &mut cache(), 0)
            .map_err(candle_core::Error::wrap)?;
        Ok(next)
    });
}

/// Logits of the tokens `ids`, which go through in steps, over weights: embeddings, the last norm, blocks.
fn logits(v: &[Tensor], ids: &[u32], step: usize) -> Result<Tensor> {
    let embeddings = Matrix::Floats(v[0].clone());
    let backend = Backend::Tensors;
    let decoder = Decoder {
        config: CONFIG,
        layers: v[2..].chunks(SHAPES.len()).map(block).collect(),
        norm: RmsNorm::new(v[1].clone(), CONFIG.eps, backend),
        head: Linear::new(embeddings.clone(), None, backend),
        embeddings,
        vocabulary: v[0].dim(0)?,
        device: Device::Cpu,
        backend,
    };
    let mut cache = cache();
    let mut parts = Vec::new();
    for ids in ids.chunks(step) {
        let slots = cache.tokens()..cache.tokens() + ids.len();
        let hidden = decoder.forward(&decoder.embed(ids)?, &rotary(slots), &mut cache)?;
        parts.push(decoder.logits(&hidden)?);
    }
    Ok(Tensor::cat(&parts, 0)?)
}

#[test]
fn embeddings_blocks_and_the_tied_head_in_one_step_or_several() {
    let own = vec![noise(&[7, 6], 1), noise(&[6], 2)];
    let inputs = [own, block_weights(3), block_weights(30)].concat();
    for step in [5, 2] {
        check(&format!("decoder, {step} tokens at a time"), &inputs, |v| {
            logits(v, &[3, 0, 6, 3, 1], step).map_err(candle_core::Error::wrap)
        });
    }
}
