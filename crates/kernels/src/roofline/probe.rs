//! What a probe is.

/// Independent chains of a probe: above latency x issue rate of the CPUs known (4 x 2 for FMA), and few enough for the
/// 16 registers of AVX2 with the operands.
pub(super) const CHAINS: usize = 12;

/// Operands of the f32 probes: results stay of order one for any number of steps.
pub(super) const F32_FACTOR: f32 = 0.75;
pub(super) const F32_TERM: f32 = 0.5;

/// Arithmetic whose highest rate can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// f32 multiply-add.
    F32,
    /// bf16 products added to f32: `tdpbf16ps` or `vdpbf16ps`.
    Bf16,
    /// 8-bit products added to i32: `tdpbssd`, `vpdpbusd`, or `vpmaddubsw`, `vpmaddwd` and `vpaddd`.
    Int8,
    /// 16-bit products added to i32: `vpdpwssd`, or `vpmaddwd` and `vpaddd`.
    Int16,
}

/// A probe: the instructions that it consists of, and the loop.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    pub(super) instructions: &'static str,
    /// Multiply-adds of one instruction (or group of instructions).
    pub(super) multiply_adds: usize,
    /// Runs `steps` steps of [`CHAINS`] instructions; the sum of the first lanes of all sums.
    pub(super) run: fn(usize) -> f64,
}

/// What a run did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// Operations; a multiply-add counts as two.
    pub operations: f64,
    /// The sum of the first lane of every sum: a result, so that nothing can be left out.
    pub sum: f64,
}
