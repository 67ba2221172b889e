//! The published numbers, the golden values and the properties of the plans.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod budget;
mod layout;
mod reduce;
mod rope;
mod rope_golden;

use longsight_method::{Grid, NewlineMode, PoolMode, PoolPlan, PoolSpec};

fn golden(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap()
}

/// A 27 x 27 grid, bilinear, as LLaVA-OneVision has it.
fn onevision(frames: usize, spec: &str) -> PoolPlan {
    let spec: PoolSpec = spec.parse().unwrap();
    PoolPlan::new(Grid::square(27), frames, spec, PoolMode::Bilinear, NewlineMode::OneToken).unwrap()
}
