//! One folder a family: its config, its tensor names' wiring, nothing numeric.

pub mod llava;
