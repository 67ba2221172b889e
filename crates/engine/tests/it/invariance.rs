//! What must not change an answer does not change it.

use crate::support::{ask, first_logprobs, image_folder, load, settings};
use longsight_testkit::{Golden, Tolerance};

#[test]
fn other_chunk_and_batch_sizes_agree() {
    for golden in Golden::all() {
        let folder = tempfile::tempdir().unwrap();
        let source = image_folder(&golden, folder.path());
        let model = load(&golden);
        let base = settings(&golden);
        let reference = ask(&model, &source, "What?", &base);
        for (chunk_tokens, encode_batch_frames) in [(1, 1), (17, 2), (64, 3), (100_000, 100)] {
            let mut other = base.clone();
            other.engine.chunk_tokens = chunk_tokens;
            other.engine.encode_batch_frames = encode_batch_frames;
            let answer = ask(&model, &source, "What?", &other);
            let what = format!("{} {chunk_tokens} {encode_batch_frames}", golden.meta.case);
            assert_eq!(answer.generation.token_ids, reference.generation.token_ids, "{what}");
            Tolerance::Relative(1e-5).assert(&what, &first_logprobs(&answer), &first_logprobs(&reference));
        }
    }
}

#[test]
fn a_second_run_is_bit_equal() {
    let golden = Golden::load("d64-mha-sharded");
    let folder = tempfile::tempdir().unwrap();
    let source = image_folder(&golden, folder.path());
    let model = load(&golden);
    let settings = settings(&golden);
    let first = ask(&model, &source, "What?", &settings);
    let second = ask(&model, &source, "What?", &settings);
    assert_eq!(first_logprobs(&first), first_logprobs(&second));
    assert_eq!(first.generation, second.generation);
}

#[test]
fn the_answer_depends_on_the_frames() {
    let golden = Golden::load("d64-mha-sharded");
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = image_folder(&golden, one.path());
    let reversed = image_folder(&golden, other.path());
    let count = golden.u8s("frames").shape[0];
    for i in 0..count {
        std::fs::copy(
            one.path().join(format!("frame{i}.png")),
            other.path().join(format!("frame{}.png", count - 1 - i)),
        )
        .unwrap();
    }
    let model = load(&golden);
    let settings = settings(&golden);
    let (a, b) = (ask(&model, &source, "What?", &settings), ask(&model, &reversed, "What?", &settings));
    assert_ne!(first_logprobs(&a), first_logprobs(&b));
}
