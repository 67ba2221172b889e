//! Bytes, operations and the solver.

use longsight_method::{KvShape, ModelShape, TowerShape, largest_fitting};
use proptest::prelude::*;

const SO400M: TowerShape = TowerShape {
    layers: 26,
    width: 1152,
    mlp: 4304,
    patches: 729,
    pixel_values: 378 * 378 * 3,
    merged_tokens: 729,
    merger_multiply_adds: 729 * (1152 * 3584 + 3584 * 3584),
};

const QWEN2_7B: ModelShape = ModelShape {
    kv: KvShape { layers: 28, kv_heads: 4, head_dim: 128 },
    hidden: 3584,
    heads: 28,
    mlp: 18_944,
    vocab: 152_064,
    tower: SO400M,
    weights_bytes: 16_000_000_000,
};

#[test]
fn kv_cache_of_the_7b_shape() {
    let kv = QWEN2_7B.kv;
    // 2 (keys, values) x 28 layers x 4 heads x 128 channels x 2 bytes.
    assert_eq!(kv.bytes(1, 2, 0), 57_344);
    assert_eq!(kv.bytes(50_177, 2, 0), 57_344 * 50_177);
    assert_eq!(kv.bytes(0, 2, 0), 0);
    assert_eq!(kv.bytes(usize::MAX, 2, 0), u64::MAX);
    // A byte a channel and a scale of 4 bytes for each 128 of them.
    assert_eq!(kv.bytes(1, 1, 4), 2 * 28 * 4 * (128 + 4));
}

#[test]
fn flops_of_the_7b_shape() {
    // The decoder's matrices hold 6,525,288,448 weights without embeddings, head, norms and biases; the head 544,997,376.
    let one = QWEN2_7B.flops(0, 1);
    assert_eq!(one.prefill_matmul, 2.0 * (6_525_288_448.0 + 544_997_376.0));
    assert_eq!(one.prefill_attention, 4.0 * 28.0 * 3584.0);
    assert_eq!(one.tower, 0.0);
    let three = QWEN2_7B.flops(0, 3);
    assert_eq!(three.prefill_attention, 6.0 * one.prefill_attention);
    assert_eq!(three.prefill_matmul, 2.0 * (3.0 * 6_525_288_448.0 + 544_997_376.0));
}

#[test]
fn flops_of_the_so400m_tower() {
    let embed = 729.0 * 588.0 * 1152.0;
    let layer = 729.0 * (4.0 * 1152.0 * 1152.0 + 2.0 * 1152.0 * 4304.0) + 2.0 * 729.0 * 729.0 * 1152.0;
    let projector = 729.0 * (1152.0 * 3584.0 + 3584.0 * 3584.0);
    assert_eq!(QWEN2_7B.flops(10, 0).tower, 10.0 * 2.0 * (embed + 26.0 * layer + projector));
    assert_eq!(QWEN2_7B.flops(10, 0).total(), QWEN2_7B.flops(10, 0).tower + 2.0 * 544_997_376.0);
}

#[test]
fn hostile_shapes_do_not_overflow() {
    let n = usize::MAX;
    let tower = TowerShape {
        layers: n,
        width: n,
        mlp: n,
        patches: n,
        pixel_values: n,
        merged_tokens: n,
        merger_multiply_adds: u64::MAX,
    };
    let kv = KvShape { layers: n, kv_heads: n, head_dim: n };
    let shape = ModelShape { kv, hidden: n, heads: n, mlp: n, vocab: n, tower, weights_bytes: u64::MAX };
    assert_eq!(kv.bytes(1, 2, 0), u64::MAX);
    assert!(shape.flops(1, n).total().is_finite());
}

#[test]
fn nothing_fits_when_one_does_not() {
    assert_eq!(largest_fitting(100, |_| false), None);
    assert_eq!(largest_fitting(0, |_| true), None);
    assert_eq!(largest_fitting(usize::MAX, |_| true), Some(usize::MAX));
}

proptest! {
    #[test]
    fn the_solver_finds_the_edge_in_few_steps(max in 1usize..1_000_000, edge in 0usize..1_200_000) {
        let mut calls = 0;
        let found = largest_fitting(max, |n| {
            calls += 1;
            assert!((1..=max).contains(&n));
            n <= edge
        });
        let expected = edge.min(max);
        prop_assert_eq!(found, (expected > 0).then_some(expected));
        prop_assert!(calls <= 21);
    }
}
