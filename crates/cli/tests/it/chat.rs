//! `longsight chat`: one video, question after question.

use crate::golden::{golden_command, write_frames};
use crate::program::{Program, assert_names, distance, ids, longsight};
use crate::video::clip;
use longsight_testkit::{Golden, golden::checkpoint_dir};
use serde_json::{Value, json};

/// What f32 sums in another order (one prompt, or turn after turn) may change of a log-probability, of some 20 below zero.
const ROUNDING: f64 = 5e-5;
const QUESTIONS: [&str; 3] = ["What happens first?", "And then?", "Why?"];

fn chat() -> Program {
    let model = checkpoint_dir("d32-gqa-tied");
    longsight("chat")
        .arg(clip())
        .arg("--model")
        .arg(model)
        .args("--quiet --dtype f32 --frames 4 --max-new-tokens 6")
}

#[test]
fn each_line_is_a_question_and_blank_ones_are_skipped() {
    let input = "\n  What happens first?  \n\n\t\nAnd then?\r\n\nWhy?";
    let turns = chat().args("--json").input(input).run().succeeded().json_lines();
    let asked: Vec<_> = turns.iter().map(|turn| turn["question"].as_str().unwrap()).collect();
    assert_eq!(asked, QUESTIONS);
    let tokens = |i: usize, name: &str| turns[i]["receipt"]["tokens"][name].as_u64().unwrap();
    assert_eq!(tokens(0, "reused"), 0);
    for i in [1, 2] {
        // The video and the earlier turns but for what the template puts after the last one.
        assert!(tokens(i, "reused") > tokens(0, "visual") + tokens(0, "newline"));
        assert!(tokens(i, "prompt") > tokens(i - 1, "prompt"));
        assert_eq!(turns[i]["receipt"]["timings"]["vision_secs"], 0.0);
    }
}

#[test]
fn answers_are_streamed_a_line_each() {
    let program = || chat().args("--ignore-eos").input(QUESTIONS.join("\n"));
    let turns = program().args("--json").run().succeeded().json_lines();
    let text = program().text();
    let mut rest = text.as_str();
    for turn in &turns {
        let answer = turn["answer"].as_str().unwrap();
        let at = rest.find(answer).unwrap_or_else(|| panic!("{answer:?} is not in {rest:?}"));
        rest = &rest[at + answer.len()..];
    }
    assert!(text.ends_with('\n') && rest.trim().is_empty());
}

#[test]
fn no_question_no_answer() {
    let outcome = chat().input("\n \n").run().succeeded();
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
}

#[test]
fn later_turns_equal_a_fresh_run_of_the_whole_conversation() {
    for golden in Golden::all() {
        let folder = tempfile::tempdir().unwrap();
        write_frames(&golden, folder.path());
        let command =
            |name| golden_command(name, &golden, folder.path()).args("--logprobs all --max-new-tokens 12");
        let chat = command("chat").args("--json").input(QUESTIONS.join("\n")).run().succeeded().json_lines();
        let history = folder.path().join("history.json");
        for turn in [1, 2] {
            std::fs::write(&history, conversation(&chat[..turn]).to_string()).unwrap();
            let fresh = command("ask").arg(QUESTIONS[turn]).arg("--history").arg(&history).json();
            let what = format!("{} turn {turn}", golden.meta.case);
            assert_eq!(ids(&fresh), ids(&chat[turn]), "{what}");
            assert_eq!(
                fresh["receipt"]["tokens"]["prompt"], chat[turn]["receipt"]["tokens"]["prompt"],
                "{what}"
            );
            assert!(distance(&fresh, &chat[turn]) <= ROUNDING, "{what}: {}", distance(&fresh, &chat[turn]));
        }
    }
}

/// The turns of answers as `--history` takes them.
fn conversation(answers: &[Value]) -> Value {
    let turn = |role: &str, content: &Value| json!({"role": role, "content": content});
    answers.iter().flat_map(|a| [turn("user", &a["question"]), turn("assistant", &a["answer"])]).collect()
}

#[test]
fn a_conversation_that_outgrows_its_room_ends_with_one_clear_line() {
    let outcome = chat().args("--json --chat-tokens 40").input(QUESTIONS.join("\n")).run();
    assert_eq!(outcome.code, Some(1));
    let answers = outcome.json_lines();
    assert!(!answers.is_empty() && answers.len() < 3, "{}", answers.len());
    assert_eq!(outcome.stderr.lines().count(), 1);
    assert_names(&outcome.stderr, &["longsight: ", "KV cache", "--chat-tokens"]);
}

#[test]
fn a_question_without_room_prints_nothing() {
    let message = chat().args("--chat-tokens 0").input("word ".repeat(100)).failure();
    assert_names(&message, &["KV cache", "--chat-tokens"]);
}

#[test]
fn input_that_is_no_text() {
    let message = chat().input(b"\xff\xfe\n".to_vec()).failure();
    assert_names(&message, &["standard input", "UTF-8"]);
}
