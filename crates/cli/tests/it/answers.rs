//! `longsight ask`: the answer, its tokens and its receipt.

use crate::program::{ask, assert_names, distance, frames, ids, logprobs};
use crate::video::{clip, damaged_pictures, ffmpeg, file};
use longsight_testkit::SeededCheckpoint;
use serde_json::Value;
use std::path::Path;

const CASE: &str = "d32-gqa-tied";

#[test]
fn one_json_object_holds_the_answer_and_how_it_came_about() {
    let answer = ask(clip(), CASE).args("--frames 4 --ignore-eos --logprobs 3").json();
    assert_eq!(answer["question"], "What happens?");
    assert!(answer["answer"].is_string());
    assert_eq!(ids(&answer).len(), 6);
    assert_eq!(
        (&answer["stop_reason"], &answer["receipt"]["tokens"]["generated"]),
        (&"max_new_tokens".into(), &6.into())
    );
    assert!(answer["model"].as_str().unwrap().contains(CASE));
    let receipt = &answer["receipt"];
    for stage in ["probe", "video_decode", "preprocess", "vision", "prefill", "generate"] {
        assert!(receipt["timings"][format!("{stage}_secs")].as_f64().unwrap() > 0.0, "{stage}");
    }
    if cfg!(target_os = "linux") {
        assert!(receipt["peak_bytes"].as_u64().unwrap() > 1 << 20);
    }
    assert_eq!(receipt["model"]["family"], "LLaVA-OneVision");
    assert_eq!(receipt["model"]["dtype"], "f32");
    assert_eq!(receipt["video"]["source"], clip().to_str().unwrap());
    assert_eq!((&receipt["video"]["total_frames"], &receipt["video"]["width"]), (&30.into(), &64.into()));
    assert!(receipt["video"]["frame_count_source"].as_str().unwrap().contains("packets"));
    assert!(["sequential", "seek"].contains(&receipt["video"]["decode_strategy"].as_str().unwrap()));
    assert_eq!((&receipt["context"]["method"], &receipt["context"]["scale"]), (&"vcwe".into(), &1.0.into()));
    assert_eq!((&receipt["pool"]["spec"], &receipt["template"]), (&"4,2,8".into(), &"trained".into()));
    assert!(receipt["warnings"].is_array());
    check_positions(receipt);
}

/// Frames follow each other in the prompt without gaps, and the token counts add up.
fn check_positions(receipt: &Value) {
    let tokens = |name: &str| receipt["tokens"][name].as_u64().unwrap();
    let mut position = receipt["frames"][0]["first_position"].as_u64().unwrap();
    for frame in receipt["frames"].as_array().unwrap() {
        assert_eq!(frame["first_position"], position);
        position += frame["visual_tokens"].as_u64().unwrap();
    }
    assert_eq!(tokens("visual"), 25 + 3 * 4);
    assert_eq!(tokens("prompt"), tokens("visual") + tokens("newline") + tokens("text"));
    assert_eq!((tokens("newline"), tokens("reused")), (1, 0));
}

#[test]
fn frames_follow_the_index_rule() {
    for count in [1, 2, 7, 30, 37] {
        let answer = ask(clip(), CASE).args(&format!("--frames {count}")).json();
        let list = &answer["receipt"]["frames"];
        let step = 29.0 / f64::from((count - 1).max(1));
        let index = |i: i32| if i > 0 && i == count - 1 { 29 } else { (f64::from(i) * step) as u64 };
        let expected: Vec<u64> = (0..count).map(index).collect();
        assert_eq!(
            frames(list, "index"),
            expected.iter().map(|i| Value::from(*i)).collect::<Vec<_>>().iter().collect::<Vec<_>>()
        );
        for (i, frame) in list.as_array().unwrap().iter().enumerate() {
            assert!((frame["time_secs"].as_f64().unwrap() - expected[i] as f64 / 10.0).abs() < 1e-6);
            assert_eq!(frame["role"], if i % 4 == 0 { "fine" } else { "coarse" });
        }
    }
}

#[test]
fn one_frame_a_second_is_the_default() {
    let answer = ask(clip(), CASE).json();
    assert_eq!(frames(&answer["receipt"]["frames"], "index"), [0, 10, 20]);
    let capped = ask(clip(), CASE).args("--fps 5 --max-frames 3").json();
    assert_eq!(frames(&capped["receipt"]["frames"], "index"), [0, 14, 29]);
}

#[test]
fn a_range_keeps_the_times_of_the_video() {
    let answer = ask(clip(), CASE).args("--frames 3 --from 0:01 --to 2.0").json();
    assert_eq!(frames(&answer["receipt"]["frames"], "index"), [10, 15, 20]);
    assert_eq!(frames(&answer["receipt"]["frames"], "time_secs"), [1.0, 1.5, 2.0]);
    assert_eq!(answer["receipt"]["video"]["clip"], serde_json::json!([10, 20]));
    let whole = ask(clip(), CASE).args("--frames 3 --logprobs all").json();
    let range = ask(clip(), CASE).args("--frames 3 --from 1 --to 2 --logprobs all").json();
    assert!(distance(&whole, &range) > 1e-4, "other frames, other answer");
}

#[test]
fn first_token_logprobs_are_sorted_and_sum_to_one() {
    let all = ask(clip(), CASE).args("--frames 4 --logprobs all").json();
    let total: f64 = logprobs(&all).iter().map(|l| l.exp()).sum();
    assert!((total - 1.0).abs() < 1e-6, "{total}");
    let three = ask(clip(), CASE).args("--frames 4 --logprobs 3").json();
    let best = three["first_token_logprobs"].as_array().unwrap();
    assert_eq!(best.len(), 3);
    assert_eq!(best[..], all["first_token_logprobs"].as_array().unwrap()[..3]);
    assert!(best.windows(2).all(|w| w[0]["logprob"].as_f64() >= w[1]["logprob"].as_f64()));
    assert_eq!(best[0]["id"], ids(&three)[0], "greedy takes the best");
    assert!(ask(clip(), CASE).args("--frames 4").json().get("first_token_logprobs").is_none());
}

#[test]
fn other_chunks_and_batches_give_the_same_answer() {
    for case in [CASE, "d64-mha-sharded", "video-average"] {
        let run = |flags: &str| {
            let program = ask(clip(), case).args("--frames 9 --ignore-eos --visual-window 48 --logprobs all");
            program.args(flags).json()
        };
        let usual = run("");
        for flags in [
            "--chunk-tokens 7",
            "--chunk-tokens 100000",
            "--encode-batch 1",
            "--encode-batch 9 --chunk-tokens 64",
            "--threads 1",
        ] {
            let other = run(flags);
            assert_eq!(ids(&other), ids(&usual), "{case} {flags}");
            assert!(distance(&other, &usual) <= 1e-5, "{case} {flags}: {}", distance(&other, &usual));
        }
    }
}

#[test]
fn the_same_seed_draws_the_same_answer() {
    let run = |seed: u32| {
        ask(clip(), CASE).args(&format!("--frames 2 --ignore-eos --temperature 1 --seed {seed}")).json()
    };
    let (a, b, c) = (run(3), run(3), run(4));
    assert_eq!(ids(&a), ids(&b));
    assert_ne!(ids(&a), ids(&c));
    assert_eq!(a["receipt"]["generation"]["seed"], 3);
}

#[test]
fn ignored_end_tokens_leave_exactly_the_tokens_asked_for() {
    for count in [1, 33] {
        let answer =
            ask(clip(), CASE).args(&format!("--frames 2 --ignore-eos --max-new-tokens {count}")).json();
        assert_eq!((ids(&answer).len(), &answer["stop_reason"]), (count, &"max_new_tokens".into()));
    }
}

#[test]
fn the_stream_is_the_answer() {
    let program = || ask(clip(), CASE).args("--frames 3 --ignore-eos --max-new-tokens 24");
    let streamed = program().text();
    assert_eq!(streamed.trim(), program().json()["answer"].as_str().unwrap());
    assert!(streamed.ends_with('\n'));
}

#[test]
fn the_summary_goes_to_standard_error() {
    let model = longsight_testkit::golden::checkpoint_dir(CASE);
    let program = crate::program::longsight("ask").arg(clip()).arg("hi").arg("--model").arg(model);
    let outcome = program.args("--frames 4 --max-new-tokens 2 --json").run().succeeded();
    assert_eq!(outcome.json_lines().len(), 1);
    assert_names(&outcome.stderr, &["4 frames", "vcwe", "first token"]);
    assert_eq!(outcome.stderr.matches("language window").count(), 1, "each warning once: {}", outcome.stderr);
    let silent = ask(clip(), CASE).args("--frames 2").run().succeeded();
    assert_eq!(silent.stderr, "");
}

#[test]
fn a_prompt_beyond_the_language_window_is_answered_with_a_warning() {
    let answer = ask(clip(), CASE).args("--frames 9").json();
    let warning = answer["receipt"]["warnings"][0].as_str().unwrap();
    assert_names(warning, &["language window", "48"]);
    assert!(!ids(&answer).is_empty());
}

/// Frames decoded from a lossless video, and the same frames as images.
#[test]
fn a_folder_of_images_is_the_same_as_its_video() {
    let folder = tempfile::tempdir().unwrap();
    let (video, images) = (folder.path().join("v.mkv"), folder.path().join("images"));
    std::fs::create_dir(&images).unwrap();
    ffmpeg("-i {} -vf fps=2 -c:v ffv1 -pix_fmt gbrp {}", &[clip(), &video]);
    ffmpeg("-i {} -pix_fmt rgb24 {}", &[&video, &images.join("%d.png")]);
    let run =
        |source: &Path| ask(source, CASE).args("--frames 6 --image-fps 2 --logprobs all --ignore-eos").json();
    let (from_video, from_images) = (run(&video), run(&images));
    assert_eq!(ids(&from_video), ids(&from_images));
    assert_eq!(distance(&from_video, &from_images), 0.0);
    let times = |answer: &Value| {
        frames(&answer["receipt"]["frames"], "time_secs").into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(times(&from_video), times(&from_images));
    assert_eq!(from_images["receipt"]["video"]["decode_strategy"], "images");
}

#[test]
fn a_picture_that_is_damaged_is_replaced_and_reported() {
    let mut bytes = std::fs::read(clip()).unwrap();
    let damaged = damaged_pictures();
    let first = bytes.iter().zip(&damaged).position(|(a, b)| a != b).unwrap();
    let last = bytes.iter().zip(&damaged).rposition(|(a, b)| a != b).unwrap();
    // The last third: the pictures from the keyframe at 2 s on.
    let start = first + (last - first) * 7 / 10;
    bytes[start..=last].copy_from_slice(&damaged[start..=last]);
    let (_folder, path) = file("v.mp4", bytes);
    let answer = ask(&path, CASE).args("--frames 30").json();
    let replaced = frames(&answer["receipt"]["frames"], "replaced_by_index");
    assert!(replaced.iter().any(|index| index.is_u64()) && replaced[0].is_null(), "{replaced:?}");
    let warnings = answer["receipt"]["warnings"].to_string();
    assert_names(&warnings, &["of 30 frames could not be decoded"]);
    let model = longsight_testkit::golden::checkpoint_dir(CASE);
    let chat = crate::program::longsight("chat").arg(&path).arg("--model").arg(model).input("a\nb\n");
    let told = chat.args("--frames 30 --max-new-tokens 2").run().succeeded().stderr;
    assert_eq!(told.matches("could not be decoded").count(), 1, "{told}");
}

#[test]
fn a_seeded_checkpoint_with_the_full_grid_answers() {
    let folder = tempfile::tempdir().unwrap();
    SeededCheckpoint::default().write(folder.path()).unwrap();
    let program = crate::program::longsight("ask").arg(clip()).arg("hi").arg("--model").arg(folder.path());
    let answer = program.args("--quiet --frames 4 --ignore-eos --max-new-tokens 4").json();
    assert_eq!(answer["receipt"]["tokens"]["visual"], 14 * 14 + 3 * 16);
    assert_eq!(answer["receipt"]["model"]["dtype"], "bf16");
    assert_eq!(ids(&answer).len(), 4);
}
