//! The program against transformers: every golden case as a folder of images.

use crate::program::{Program, ids, longsight};
use crate::video::ffmpeg;
use longsight_testkit::Golden;
use serde_json::Value;
use std::path::Path;

/// Writes the golden's frames as PNG files.
pub fn write_frames(golden: &Golden, folder: &Path) {
    let frames = golden.u8s("frames");
    let raw = folder.join("frames.raw");
    std::fs::write(&raw, &frames.data).unwrap();
    let size = format!("{}x{}", frames.shape[2], frames.shape[1]);
    let input = format!("-f rawvideo -pix_fmt rgb24 -video_size {size} -i {{}} {{}}");
    ffmpeg(&input, &[&raw, &folder.join("frame%02d.png")]);
    std::fs::remove_file(raw).unwrap();
}

/// A command on the golden's frames with the golden's settings, in f32.
pub fn golden_command(command: &str, golden: &Golden, folder: &Path) -> Program {
    let meta = &golden.meta;
    let rate = meta.frame_times_secs.as_ref().map_or(1.0, |times| 1.0 / (times[1] - times[0]));
    longsight(command)
        .arg(folder)
        .arg("--model")
        .arg(golden.checkpoint())
        .args(&format!("--frames {} --image-fps {rate}", golden.u8s("frames").shape[0]))
        .args(&format!("--visual-window {} --language-window {}", meta.visual_window, meta.language_window))
        .args(&format!("--alpha {} --beta {} --dtype f32 --quiet", meta.alpha, meta.beta))
        // LLaVA-Video's published windows count newlines, so s does; the golden's s is of the visual tokens alone.
        .args(&format!("--scale {}", meta.methods["vcwe"].scale))
}

#[test]
fn every_case_gives_the_tokens_of_the_reference() {
    for golden in Golden::all() {
        let folder = tempfile::tempdir().unwrap();
        write_frames(&golden, folder.path());
        let limit = format!("--ignore-eos --max-new-tokens {}", golden.meta.new_tokens);
        let answer =
            golden_command("ask", &golden, folder.path()).arg(&golden.meta.question).args(&limit).json();
        let expected: Vec<u64> = golden.ids("tokens_vcwe").into_iter().map(u64::from).collect();
        assert_eq!(ids(&answer), expected, "{}", golden.meta.case);
        check_context(&golden, &answer["receipt"]);
    }
}

/// s, m and the text around the video: for LLaVA-Video it holds the time instruction.
fn check_context(golden: &Golden, receipt: &Value) {
    let reference = &golden.meta.methods["vcwe"];
    assert_eq!(receipt["context"]["scale"], reference.scale);
    let factor = receipt["context"]["attention_factor"].as_f64().unwrap();
    assert!((factor - reference.attention_factor).abs() < 1e-12);
    let text = golden.ids("prompt_before_ids").len() + golden.ids("prompt_after_ids").len();
    assert_eq!(receipt["tokens"]["text"], text, "{}", golden.meta.case);
    assert_eq!(receipt["tokens"]["visual"], golden.meta.visual_tokens);
}
