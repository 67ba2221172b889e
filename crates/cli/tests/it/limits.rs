//! What is far too much of something: endless files, long inputs, limits of the system.

use crate::program::{Outcome, Program, ask, assert_names, longsight};
use crate::video::{clip, file};
use std::path::Path;
use std::process::Command;

const CASE: &str = "d32-gqa-tied";

/// Four frames of the clip.
fn good() -> Program {
    ask(clip(), CASE).args("--frames 4")
}

#[cfg(unix)]
#[test]
fn a_device_is_no_text_file() {
    for flag in ["--questions", "--history", "--subtitles"] {
        let message = good().arg(flag).arg("/dev/zero").failure();
        assert_names(&message, &["/dev/zero: is not a regular file"]);
    }
    let zeros = std::fs::File::open("/dev/zero").unwrap();
    let chat = longsight("chat").arg(clip()).args("--quiet --frames 2");
    let output = chat.command().stdin(zeros).output().unwrap();
    assert_names(&Outcome::from(output).failed(1), &["a question is longer than 1048576 bytes"]);
}

#[test]
fn text_files_are_read_with_a_mark_and_any_line_ends() {
    let (_plain, plain) = file("q.txt", "One?\nTwo?\n");
    let utf16: Vec<u8> = "\u{feff}One?\r\nTwo?\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (_other, other) = file("q.txt", utf16);
    let asked = |path: &Path| {
        longsight("ask").arg(clip()).args("--quiet --frames 2 --json --questions").arg(path).run()
    };
    let [right, found] = [asked(&plain), asked(&other)].map(|outcome| outcome.succeeded().json_lines());
    for (right, found) in right.iter().zip(&found) {
        assert_eq!((&found["question"], &found["token_ids"]), (&right["question"], &right["token_ids"]));
    }
    assert_eq!(found.len(), 2);
    let (_latin, latin) = file("q.txt", b"caf\xe9?\n");
    assert_names(
        &good().arg("--questions").arg(&latin).failure(),
        &["q.txt: is not UTF-8 text; save it as UTF-8"],
    );
}

#[test]
fn no_message_repeats_more_than_200_characters_of_what_was_typed() {
    let long = "\u{416}".repeat(3000);
    let told = |message: &str| message.chars().filter(|&c| c == '\u{416}').count();
    let flags = [
        "--from",
        "--fps",
        "--frames",
        "--max-frames",
        "--pool",
        "--scale",
        "--context",
        "--dedupe",
        "--memory",
        "--template",
        "--logprobs",
        "--subtitles",
        "--subtitle-encoding",
        "--questions",
        "--history",
        "--evidence-heads",
        "--kv-dtype",
        "--dtype",
        "--report",
        "--device",
        "--index-size",
        "--index",
        "--threads",
        "--model",
    ];
    for flag in flags {
        let base = || good().args(if flag == "--subtitle-encoding" { "--subtitles x.srt" } else { "" });
        for program in [base().arg(flag).arg(&long), base().arg(format!("{flag}={long}"))] {
            let outcome = program.run();
            assert!(matches!(outcome.code, Some(1 | 2)), "{flag}: {:?}", outcome.code);
            assert!(told(&outcome.stderr) <= 200, "{flag}: {}", outcome.stderr);
        }
    }
    for message in
        [ask(&long, CASE).failure(), longsight(&long).run().failed(2), good().arg(&long).run().failed(2)]
    {
        assert!(told(&message) <= 200, "{message}");
    }
    let (_folder, history) = file("history.json", format!(r#"[{{"role":"{long}","content":"a"}}]"#));
    let message = good().arg("--history").arg(&history).failure();
    assert!(told(&message) <= 200, "{message}");
    let message = good().env("LONGSIGHT_INDEX_SIZE", &long).run().failed(2);
    assert!(told(&message) <= 200, "{message}");
}

#[cfg(unix)]
#[test]
fn control_characters_of_names_are_escaped_in_all_that_people_read() {
    let folder = tempfile::tempdir().unwrap();
    let name = "a\u{1b}]0;title\u{7}\nwarning: forged\u{202e}";
    let video = folder.path().join(format!("{name}.mp4"));
    std::fs::copy(clip(), &video).unwrap();
    let safe = |outcome: Outcome| {
        let text = outcome.stdout + &outcome.stderr;
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("warning: forged")), "{text}");
        text
    };
    let plan = safe(longsight("plan").arg(&video).run().succeeded());
    assert_names(&plan, &["a\\u{1b}]0;title\\u{7}\\nwarning: forged\\u{202e}.mp4"]);
    let page = folder.path().join(format!("{name}.html"));
    let asked = longsight("ask").arg(&video).args("What? --frames 2 --max-new-tokens 2 --report").arg(&page);
    assert_names(&safe(asked.run().succeeded()), &["wrote ", "\\u{1b}]0;title"]);
    safe(longsight("ask").arg(folder.path().join(name)).arg("What?").run());
    safe(longsight("ask").arg(&video).arg("What?").arg("--subtitles").arg(folder.path().join(name)).run());
    safe(longsight("ask").arg(&video).arg("What?").arg("--model").arg(folder.path().join(name)).run());
}

/// A limit on the size of files, in the shell's units of 512 or 1,024 bytes.
#[cfg(unix)]
#[test]
fn a_file_past_the_systems_size_limit_is_an_error_and_no_death_by_a_signal() {
    let limited = |program: Program| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -f 4; exec \"$@\"", "sh"]);
        program.inside(shell)
    };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    // Unpacked before the limit, which the model is larger than.
    longsight("plan").arg(clip()).run().succeeded();
    let asked = || longsight("ask").arg(clip()).args("What? --quiet --frames 2 --max-new-tokens 2");
    let message = limited(asked().arg("--report").arg(&page)).run();
    assert_eq!(message.code, Some(1), "{message:?}");
    assert_names(&message.stderr, &["page.html", "File too large"]);
    assert!(!page.exists() && std::fs::read_dir(folder.path()).unwrap().count() == 0, "nothing is left");
    let index = limited(asked().args("--json").args("--index kv --index-dir").arg(folder.path()));
    let answer = index.run().succeeded().json_lines().remove(0);
    assert!(
        answer["receipt"]["warnings"].to_string().contains("File too large"),
        "{}",
        answer["receipt"]["warnings"]
    );
}

#[test]
fn more_frames_than_any_model_takes_are_refused_in_one_line() {
    for flags in ["--frames 99999999", "--fps 1 --max-frames 99999999", "--frames 18446744073709551615"] {
        let message = ask(clip(), CASE).args(flags).failure();
        assert_names(&message, &["frames were asked for; the limit is"]);
    }
}
