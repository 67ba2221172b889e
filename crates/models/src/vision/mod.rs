//! Vision towers: pixels to patch features.

mod siglip;

pub use siglip::{Siglip, SiglipConfig};
