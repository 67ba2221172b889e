//! Each kind of the engine's errors: one line in the command line's words, and exit status 1.

use crate::checkpoint::{Checkpoint, remove_tensor};
use crate::program::{ask, assert_names, longsight};
use crate::video::clip;

const CASE: &str = "d32-gqa-tied";

#[test]
fn a_setting_is_named_as_its_flag() {
    for (flags, said) in [
        ("--top-p 2", "--top-p must be above 0 and at most 1"),
        ("--temperature -1", "--temperature must be a number from 0 up"),
        ("--max-new-tokens 0", "--max-new-tokens must be at least 1"),
        ("--repetition-penalty 0", "--repetition-penalty must be a number above 0"),
        ("--chunk-tokens 0", "--chunk-tokens must be at least 1"),
        ("--encode-batch 0", "--encode-batch must be at least 1"),
        ("--evidence --moments 0", "--moments must be at least 1"),
    ] {
        assert_names(&ask(clip(), CASE).args(flags).failure(), &[said]);
    }
}

#[test]
fn a_clip_of_the_video_is_told_by_its_flags() {
    let message = ask(clip(), CASE).args("--from 2 --to 1").failure();
    assert_names(&message, &["--from", "is not before --to"]);
    assert_names(&ask("https://example.org/v.mp4", CASE).failure(), &["pass --allow-url"]);
}

#[test]
fn memory_names_the_nearest_flags_that_fit() {
    let message = ask(clip(), CASE).args("--frames 4 --memory 1MiB").failure();
    assert_names(&message, &["of --memory", "not even one frame fits"]);
}

#[test]
fn what_a_checkpoint_lacks_is_named() {
    let checkpoint = Checkpoint::copy(CASE);
    let name = "language_model.model.layers.1.post_attention_layernorm.weight";
    checkpoint.edit_weights(|header, data| remove_tensor(name, header, data));
    let program = longsight("ask").arg(clip()).args("hi --quiet --frames 2 --model").arg(checkpoint.path());
    assert_names(&program.failure(), &["is missing"]);
}

#[test]
fn what_a_model_cannot_do_is_said_of_the_model() {
    let message = ask(clip(), CASE).args("--frames 2 --evidence --evidence-heads 99.0").failure();
    assert_names(&message, &["no head 0 in layer 99"]);
}

#[test]
fn a_missing_program_is_named() {
    let message = ask(clip(), CASE).env("PATH", "/nowhere").failure();
    assert_names(&message, &["was not found", "install ffmpeg"]);
}
