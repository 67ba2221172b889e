//! `longsight plan`: what `ask` then does, known before a picture is decoded.

use crate::program::{Program, assert_names, frames, longsight};
use crate::video::{clip, damaged_pictures, file};
use longsight_testkit::golden::checkpoint_dir;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

fn command(name: &str, video: &Path, case: &str, flags: &str) -> Program {
    let program = longsight(name).arg(video).arg("What happens?").arg("--model").arg(checkpoint_dir(case));
    program.args("--max-new-tokens 6").args(flags)
}

fn plan(flags: &str) -> Value {
    command("plan", clip(), "d32-gqa-tied", flags).json()
}

fn bytes(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn the_receipt_says_what_the_plan_said() {
    let (_folder, talk) = file("talk.srt", "1\n00:00:00,000 --> 00:00:02,000\nHello there.\n");
    let subtitles = format!("--frames 3 --subtitles {}", talk.display());
    for (case, flags) in [
        ("d32-gqa-tied", "--frames 9 --visual-window 24"),
        ("d32-gqa-tied", subtitles.as_str()),
        ("d64-mha-sharded", "--fps 4 --max-frames 6 --context yarn --pool uniform,2"),
        ("d64-lmms-ov", "--frames 3 --from 1 --to 2 --chunk-tokens 16 --dtype f32"),
        ("video-average", "--frames 6 --context ntk --scale 3"),
        ("d64-lmms-ov", "--frames 3 --kv-dtype q8"),
        ("d32-gqa-tied", "--frames 3 --kv-dtype f16"),
    ] {
        let plan = command("plan", clip(), case, flags).json();
        let receipt = &command("ask", clip(), case, flags).args("--quiet").json()["receipt"];
        for field in ["index", "time_secs", "role", "stride", "visual_tokens"] {
            assert_eq!(frames(&plan["frames"], field), frames(&receipt["frames"], field), "{case} {field}");
        }
        for (planned, done) in [
            ("/visual_tokens", "/tokens/visual"),
            ("/newline_tokens", "/tokens/newline"),
            ("/text_tokens", "/tokens/text"),
            ("/prompt_tokens", "/tokens/prompt"),
            ("/kv_capacity_tokens", "/kv_cache/capacity_tokens"),
            ("/memory/kv_cache_bytes", "/kv_cache/bytes"),
            ("/kv_dtype", "/kv_cache/dtype"),
            ("/memory", "/memory_estimate"),
            ("/memory_total_bytes", "/memory_estimate_total_bytes"),
            ("/context", "/context/method"),
            ("/scale", "/context/scale"),
            ("/attention_factor", "/context/attention_factor"),
            ("/window_tokens", "/context/window_tokens"),
            ("/pool", "/pool/spec"),
            ("/sampling/strategy", "/video/decode_strategy"),
            ("/sampling/clip", "/video/clip"),
            ("/warnings", "/warnings"),
        ] {
            let (planned, done) = (plan.pointer(planned), receipt.pointer(done));
            assert!(planned.is_some() && planned == done, "{case}: {planned:?} {done:?}");
        }
    }
}

#[test]
fn nothing_is_decoded() {
    let (_folder, path) = file("v.mp4", damaged_pictures());
    let damaged = command("plan", &path, "d32-gqa-tied", "--frames 5").json();
    assert_eq!(frames(&damaged["frames"], "time_secs"), frames(&plan("--frames 5")["frames"], "time_secs"));
}

#[test]
fn the_text_has_the_times_the_tokens_and_the_bytes() {
    let text = command("plan", clip(), "d32-gqa-tied", "--frames 5").text();
    let parts =
        ["*0:00:00.000 #0", "0:00:00.700 #7", "*0:00:02.900 #29", "62 visual + 1 newline", "s = 1.0000"];
    assert_names(&text, &parts);
    assert_names(&text, &["weights", "KV cache", "to the first token", "5 frames", "h264", "pool 4,2,8"]);
}

#[test]
fn a_plan_needs_no_question() {
    let model = checkpoint_dir("d32-gqa-tied");
    let plan = longsight("plan").arg(clip()).arg("--model").arg(model).args("--frames 2").json();
    assert_eq!(plan["frames"].as_array().unwrap().len(), 2);
}

#[test]
fn memory_lowers_the_frames_and_keeps_the_pooling() {
    let allowed = bytes(&plan("--frames 9")["memory_total_bytes"]);
    let solved = plan(&format!("--frames 30 --memory {allowed}"));
    let fitting = &solved["fitted_to_memory"];
    assert_eq!((&fitting["frames"], &fitting["flags"]), (&9.into(), &"--frames 9".into()));
    assert_eq!((&solved["pool"], &fitting["pool"]), (&"4,2,8".into(), &"4,2,8".into()));
    assert_eq!(solved["frames"].as_array().unwrap().len(), 9);
    assert_eq!(solved["memory_total_bytes"], allowed);
    assert_eq!(frames(&solved["frames"], "index"), frames(&plan("--frames 9")["frames"], "index"));
    // 10 frames take 4 tokens more than 9 and would not fit.
    assert!(bytes(&plan("--frames 10")["memory_total_bytes"]) > allowed);
    let coarser = fitting["coarser"].as_array().unwrap();
    assert_eq!(coarser[0], "4,4,9");
    assert!(bytes(&coarser[1]) > 9);
    let with_coarser = plan(&format!("--frames {} --pool 4,4,9", coarser[1]));
    assert!(bytes(&with_coarser["memory_total_bytes"]) <= allowed);
    let text = command("plan", clip(), "d32-gqa-tied", &format!("--frames 30 --memory {allowed}")).text();
    assert_names(&text, &["fits      --frames 9", "--pool 4,4,9"]);
}

#[test]
fn memory_that_is_enough_changes_nothing() {
    let free = plan("--fps 10 --max-frames 20");
    let limited = plan("--fps 10 --max-frames 20 --memory 4GiB");
    assert_eq!(limited["frames"], free["frames"]);
    assert_eq!(limited["fitted_to_memory"]["frames"], 20);
}

#[test]
fn memory_for_no_frame_at_all_is_an_error() {
    let message = command("plan", clip(), "d32-gqa-tied", "--frames 4 --memory 5MiB").failure();
    assert_names(&message, &["5 MiB", "not even one frame"]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for flags in ["--frames 5", "--frames 5 --json"] {
        let mut command = command("plan", clip(), "d32-gqa-tied", flags).command();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_answer() {
    for flags in ["--quiet", "--quiet --json"] {
        let flags = format!("--frames 2 --ignore-eos --max-new-tokens 200 {flags}");
        let mut command = command("ask", clip(), "d32-gqa-tied", &flags).command();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn help_and_version_are_no_failure() {
    let help = longsight("plan").args("--help").text();
    assert_names(&help, &["--memory", "--context", "--pool"]);
    assert_names(&longsight("--version").text(), &["longsight", env!("CARGO_PKG_VERSION")]);
    let mut command = longsight("--help").command();
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
