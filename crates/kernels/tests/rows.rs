//! What a frame's features rest on when frames are encoded in batches of any size: a row of a product does not depend on
//! the rows beside it, bit for bit.
#![allow(missing_docs)]

use half::bf16;
use longsight_kernels::{Linear, Values, linear};

/// Patches of a SigLIP frame.
const PATCHES: usize = 729;

fn product(weight: Values<'_>, inputs: usize, outputs: usize, x: &[f32]) -> Vec<f32> {
    linear(&Linear { weight, bias: None, inputs, outputs }, x)
}

#[test]
fn a_frame_alone_equals_a_frame_in_a_batch() {
    let mut state = 1u32;
    let mut random = |n: usize| -> Vec<f32> {
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect()
    };
    // The tower's patches, MLP (both ways) and projector; a small model's tower.
    for (patches, inputs, outputs) in [
        (PATCHES, 588, 1152),
        (PATCHES, 1152, 4304),
        (PATCHES, 4304, 1152),
        (PATCHES, 1152, 896),
        (81, 192, 192),
    ] {
        let weight = random(inputs * outputs);
        let rounded: Vec<bf16> = weight.iter().map(|w| bf16::from_f32(*w)).collect();
        let batch = random(3 * patches * inputs);
        for weight in [Values::F32(&weight), Values::Bf16(&rounded)] {
            let together = product(weight, inputs, outputs, &batch);
            for (frame, expected) in batch.chunks(patches * inputs).zip(together.chunks(patches * outputs)) {
                assert!(product(weight, inputs, outputs, frame) == expected, "{patches} {inputs} {outputs}");
            }
        }
    }
}
