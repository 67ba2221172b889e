//! What this CPU can do at most: loops of nothing but one arithmetic instruction, and a loop that reads memory.
//!
//! The figures bound every kernel of this crate (Williams, Waterman and Patterson, "Roofline", CACM 2009). A probe keeps
//! its operands in registers and its chains of results independent, so that only the instruction's own rate
//! limits it. Callers time [`Arithmetic::run`] and [`read`]; nothing here looks at a clock.

mod amx;
mod portable;
mod probe;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use probe::{Arithmetic, Work};

use crate::simd::{Fma, dispatch};
use probe::{CHAINS, Probe};

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
    use super::probe::{F32_FACTOR, F32_TERM};
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
