//! What this CPU can do at most: loops of nothing but one arithmetic instruction, and a loop that reads memory.
//!
//! The figures bound every kernel of this crate (Williams, Waterman and Patterson, "Roofline", CACM 2009). A probe keeps
//! its operands in registers and its chains of results independent, so that only the instruction's own rate
//! limits it. Callers time [`Arithmetic::run`] and [`read`]; nothing here looks at a clock.

mod amx;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::simd::{Fma, dispatch};

/// Independent chains of a probe: above latency x issue rate of the CPUs known (4 x 2 for FMA), and few enough for the
/// 16 registers of AVX2 with the operands.
const CHAINS: usize = 12;

/// Operands of the f32 probes: results stay of order one for any number of steps.
const F32_FACTOR: f32 = 0.75;
const F32_TERM: f32 = 0.5;

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
struct Probe {
    instructions: &'static str,
    /// Multiply-adds of one instruction (or group of instructions).
    multiply_adds: usize,
    /// Runs `steps` steps of [`CHAINS`] instructions; the sum of the first lanes of all sums.
    run: fn(usize) -> f64,
}

/// What a run did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// Operations; a multiply-add counts as two.
    pub operations: f64,
    /// The sum of the first lane of every sum: a result, so that nothing can be left out.
    pub sum: f64,
}

impl Arithmetic {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::F32, Self::Bf16, Self::Int8, Self::Int16];

    /// As reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
        }
    }

    /// The instructions that [`Self::run`] runs here; None where the CPU has none for it.
    pub fn instructions(self) -> Option<&'static str> {
        self.probe().map(|probe| probe.instructions)
    }

    /// Runs `steps` steps on this thread; None where the CPU has no instruction for it.
    pub fn run(self, steps: usize) -> Option<Work> {
        let probe = self.probe()?;
        let operations = 2.0 * (steps * CHAINS * probe.multiply_adds) as f64;
        Some(Work { operations, sum: (probe.run)(steps) })
    }

    fn probe(self) -> Option<Probe> {
        if let Some(probe) = amx::probe(self) {
            return Some(probe);
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(probe) = x86::probe(self) {
            return Some(probe);
        }
        portable::probe(self)
    }
}

/// Reads `words` once and returns their sum (wrapping). With a slice much larger than the caches this is bound by memory.
pub fn read(words: &[u64]) -> u64 {
    sum(words)
}

// The plain sum is what compilers turn into vector loads; lanes written by hand became gathers for AVX-512.
#[inline(always)]
fn sum_body<F: Fma>(words: &[u64]) -> u64 {
    words.iter().fold(0, |sum, word| sum.wrapping_add(*word))
}
dispatch!(fn sum(words: &[u64]) -> u64 = sum_body);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_word_once() {
        for count in [0, 1, 31, 32, 163] {
            let words: Vec<u64> = (1..=count as u64).collect();
            assert_eq!(read(&words), (count * (count + 1) / 2) as u64);
        }
    }

    #[test]
    fn twice_the_steps_are_twice_the_operations() {
        for arithmetic in Arithmetic::ALL {
            let Some(work) = arithmetic.run(10) else { continue };
            assert_eq!(arithmetic.run(20).unwrap().operations, 2.0 * work.operations);
            assert!(work.sum.is_finite(), "{arithmetic:?}");
        }
        assert!(Arithmetic::F32.run(1).is_some(), "every CPU has f32");
    }

    /// x <- x a + b in every chain, from the chain's number on.
    #[test]
    fn f32_is_what_f64_says() {
        let (a, b) = (f64::from(F32_FACTOR), f64::from(F32_TERM));
        for steps in [0, 1, 7, 100] {
            let chain = |start: usize| (0..steps).fold(start as f64, |x, _| x * a + b);
            let expected: f64 = (0..CHAINS).map(chain).sum();
            let got = Arithmetic::F32.run(steps).unwrap().sum;
            assert!((got - expected).abs() <= 1e-5 * expected, "{steps}: {got}, not {expected}");
        }
    }
}
