//! A GGUF file alone: `chat` without a video, and what needs one.

use crate::program::{Program, longsight};
use crate::video::clip;
use longsight_testkit::gguf::{Gguf, Value};
use longsight_testkit::golden::checkpoint_dir;
use std::path::PathBuf;

/// A seeded Llama decoder with room for a conversation.
fn model(folder: &tempfile::TempDir) -> PathBuf {
    let mut file = Gguf::of(&checkpoint_dir("smolvlm-256m"));
    file.set("llama.context_length", Value::Count(512));
    let path = folder.path().join("seeded.gguf");
    std::fs::write(&path, file.bytes()).unwrap();
    path
}

fn with_model(command: &str, folder: &tempfile::TempDir) -> Program {
    longsight(command).arg("--model").arg(model(folder)).args("--quiet --max-new-tokens 5")
}

#[test]
fn chat_answers_without_a_video_and_keeps_the_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let chat = || with_model("chat", &folder).args("--ignore-eos --chat-tokens 100");
    let turns = chat().args("--json").input("Who is there?\n\nAnd why?").run().succeeded().json_lines();
    let asked: Vec<_> = turns.iter().map(|turn| turn["question"].as_str().unwrap()).collect();
    assert_eq!(asked, ["Who is there?", "And why?"]);
    assert_eq!(turns[0]["token_ids"].as_array().unwrap().len(), 5);
    assert_eq!(turns[0]["receipt"]["family"], "Seeded");
    let tokens = |turn: usize, name: &str| turns[turn]["receipt"][name].as_u64().unwrap();
    assert_eq!(tokens(0, "reused_tokens"), 0);
    assert!(tokens(1, "reused_tokens") > 0);
    assert!(tokens(1, "prompt_tokens") > tokens(0, "prompt_tokens"));
    let spoken = chat().input("Who is there?").run().succeeded().stdout;
    assert_eq!(spoken.trim(), turns[0]["text"].as_str().unwrap());
    let second = chat().args("--json").input("Who is there?").run().succeeded().json_lines();
    assert_eq!(second[0]["token_ids"], turns[0]["token_ids"]);
}

#[test]
fn a_conversation_ends_at_the_window_and_at_its_room() {
    let folder = tempfile::tempdir().unwrap();
    let long = "why ".repeat(400);
    let refused = with_model("chat", &folder).input(long.as_str()).failure();
    assert!(refused.contains("more than the 512 that the model was trained on"), "{refused}");
    let input = format!("Who?\n{}", "why ".repeat(40));
    let outcome = with_model("chat", &folder).args("--chat-tokens 1").input(input).run();
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("start a new conversation"), "{}", outcome.stderr);
}

#[test]
fn what_needs_a_video_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["ask", "plan", "chat"] {
        let program = with_model(command, &folder).arg(clip());
        let program = if command == "ask" { program.arg("What happens?") } else { program };
        let refused = program.failure();
        assert!(refused.contains("language model alone: it sees no video"), "{refused}");
        assert_eq!(refused.lines().count(), 1);
    }
    let refused = longsight("chat").args("--quiet --model tiny").failure();
    assert!(refused.contains("name a video: longsight chat VIDEO"), "{refused}");
}
