//! Probes in plain Rust, for CPUs whose instructions are not known here: what the compiler makes of simple loops.

use super::probe::{Arithmetic, CHAINS, F32_FACTOR, F32_TERM, Probe};
use crate::simd::{Fma, dispatch};
use std::hint::black_box;

/// Values a chain.
const WIDTH: usize = 8;

pub(super) fn probe(arithmetic: Arithmetic) -> Option<Probe> {
    let (run, instructions): (fn(usize) -> f64, _) = match arithmetic {
        Arithmetic::F32 => (f32_chains, "compiled f32 loop"),
        Arithmetic::Int8 => (int8_chains, "compiled i8 loop"),
        Arithmetic::Int16 => (int16_chains, "compiled i16 loop"),
        Arithmetic::Bf16 => return None,
    };
    Some(Probe { instructions, multiply_adds: WIDTH, run })
}

#[inline(always)]
fn f32_chains_body<F: Fma>(steps: usize) -> f64 {
    let (factor, term) = black_box((F32_FACTOR, F32_TERM));
    let mut chains: [[f32; WIDTH]; CHAINS] = black_box(std::array::from_fn(|chain| [chain as f32; WIDTH]));
    for _ in 0..steps {
        for x in chains.iter_mut().flatten() {
            *x = F::mul_add(*x, factor, term);
        }
    }
    chains.iter().map(|chain| f64::from(chain[0])).sum()
}
dispatch!(fn f32_chains(steps: usize) -> f64 = f32_chains_body);

/// x <- x + low(x) b, where low is the integer's lowest bits as `$narrow`: it depends on x, or the product would be
/// computed once.
macro_rules! integer_chains {
    ($name:ident, $narrow:ty) => {
        fn $name(steps: usize) -> f64 {
            let factor = i32::from(black_box(2 as $narrow));
            let mut chains: [[i32; WIDTH]; CHAINS] =
                black_box(std::array::from_fn(|chain| [chain as i32; WIDTH]));
            for _ in 0..steps {
                for x in chains.iter_mut().flatten() {
                    *x = x.wrapping_add(i32::from(*x as $narrow) * factor);
                }
            }
            chains.iter().map(|chain| f64::from(chain[0])).sum()
        }
    };
}
integer_chains!(int8_chains, i8);
integer_chains!(int16_chains, i16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_add_their_product() {
        let first: i32 = (0..CHAINS as i32).map(|x| 3 * x).sum();
        assert_eq!(int8_chains(1), f64::from(first));
        assert_eq!(int16_chains(1), f64::from(first));
        // 100 steps on, the low 8 bits differ from the low 16.
        assert_ne!(int8_chains(100), int16_chains(100));
    }

    #[test]
    fn f32_needs_no_special_instruction() {
        let expected: f32 = (0..CHAINS).map(|x| x as f32 * F32_FACTOR + F32_TERM).sum();
        assert_eq!(f32_chains_body::<crate::simd::Separate>(1), f64::from(expected));
    }
}
