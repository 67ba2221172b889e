//! `--subtitles`: a file or the video's own stream, before the question.

use crate::program::{Program, ask, ids};
use crate::video::{clip, ffmpeg, file};
use serde_json::Value;

const SRT: &str =
    "1\n00:00:00,000 --> 00:00:01,000\n<i>A dog</i> runs.\n\n2\n00:00:02,000 --> 00:00:02,900\nIt jumps.\n";

fn run(program: Program) -> Value {
    program.args("--frames 4 --ignore-eos").json()
}

fn text_tokens(answer: &Value) -> u64 {
    answer["receipt"]["tokens"]["text"].as_u64().unwrap()
}

#[test]
fn a_file_and_the_embedded_stream_say_the_same() {
    let (folder, path) = file("talk.srt", SRT);
    let plain = run(ask(clip(), "d32-gqa-tied"));
    let from_file = run(ask(clip(), "d32-gqa-tied").arg("--subtitles").arg(&path));
    assert_eq!(plain["receipt"]["video"]["subtitle_cues"], 0);
    assert_eq!(from_file["receipt"]["video"]["subtitle_cues"], 2);
    assert!(text_tokens(&from_file) > text_tokens(&plain) + 10);
    assert_ne!(ids(&from_file), ids(&plain));
    let video = folder.path().join("with-text.mkv");
    ffmpeg("-i {} -i {} -c:v copy -c:s srt {}", &[clip(), &path, &video]);
    let embedded = run(ask(&video, "d32-gqa-tied").args("--subtitles embedded"));
    assert_eq!(embedded["receipt"]["video"]["subtitle_cues"], 2);
    assert_eq!(text_tokens(&embedded), text_tokens(&from_file));
    assert_eq!(ids(&embedded), ids(&from_file));
}

#[test]
fn tags_are_stripped_and_webvtt_is_read_too() {
    let (_srt, srt) = file("a.srt", SRT);
    let vtt = "WEBVTT\n\n00:00.000 --> 00:01.000\nA dog runs.\n\n00:02.000 --> 00:02.900\n<b>It jumps.</b>\n";
    let (_vtt, vtt) = file("a.vtt", vtt);
    let [first, second] = [srt, vtt].map(|p| run(ask(clip(), "d32-gqa-tied").arg("--subtitles").arg(p)));
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(text_tokens(&first), text_tokens(&second));
}

#[test]
fn cues_far_from_every_frame_are_left_out() {
    let far = format!("{SRT}\n3\n00:10:00,000 --> 00:10:05,000\nMuch later.\n");
    let (_folder, path) = file("talk.srt", far);
    let answer = run(ask(clip(), "d32-gqa-tied").arg("--subtitles").arg(&path));
    assert_eq!(answer["receipt"]["video"]["subtitle_cues"], 2);
    let (_folder, path) = file("late.srt", "1\n00:10:00,000 --> 00:10:05,000\nMuch later.\n");
    let answer = run(ask(clip(), "d32-gqa-tied").arg("--subtitles").arg(&path));
    assert_eq!(answer["receipt"]["video"]["subtitle_cues"], 0);
    assert!(answer["receipt"]["warnings"].to_string().contains("subtitles lie near a sampled frame"));
}
