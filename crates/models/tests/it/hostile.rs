//! Damaged and hostile checkpoints: one clear line each, and never a panic.

mod arguments;
mod config;
mod damage;
mod prompt;
mod weights;

use crate::folder::{Folder, Stored};
use longsight_models::ModelError;

const CASE: &str = "d32-gqa-tied";
const MODEL: &str = "model.safetensors";

/// Asserts one line that holds every one of `parts`.
#[track_caller]
fn assert_message(error: &ModelError, parts: &[&str]) {
    let message = error.to_string();
    assert!(!message.contains('\n') && !message.is_empty(), "not one line: {message:?}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// Asserts that loading fails with one line that holds every one of `parts`.
#[track_caller]
fn refused(folder: &Folder, parts: &[&str]) {
    match folder.load() {
        Ok(_) => panic!("loaded, though it should say {parts:?}"),
        Err(error) => assert_message(&error, parts),
    }
}

fn golden() -> Folder {
    Folder::golden(CASE)
}

fn tensor<'a>(tensors: &'a mut [Stored], end: &str) -> &'a mut Stored {
    tensors.iter_mut().find(|t| t.0.ends_with(end)).unwrap()
}
