//! How many inputs are multiplied as a block of integers.

/// Inputs that share a scale: divides 896, 1152, 3584, 4864, 18944 and 29568, so that few rows need padding.
pub(crate) const BLOCK: usize = 128;
/// Inputs that share a minimum in the formats that have one.
pub(crate) const SUBBLOCK: usize = 32;
/// Sub-blocks of a block.
pub(crate) const SUBBLOCKS: usize = BLOCK / SUBBLOCK;
