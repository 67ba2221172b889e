//! The index: what it saves, that it changes no answer, and what becomes of damage.

use crate::program::{Program, assert_names, ids, logprobs, longsight};
use crate::video::{clip, clip_bytes};
use longsight_testkit::golden::checkpoint_dir;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

fn run(command: &str, video: &Path, index: &Path) -> Program {
    longsight(command)
        .arg(video)
        .arg("--model")
        .arg(checkpoint_dir("d32-gqa-tied"))
        .args("--dtype f32 --frames 6 --quiet")
        .env("LONGSIGHT_INDEX", "embeddings")
        .env("LONGSIGHT_INDEX_DIR", index)
}

fn ask(index: &Path, flags: &str) -> Program {
    let flags = format!("--max-new-tokens 6 --ignore-eos --logprobs all {flags}");
    run("ask", clip(), index).arg("What happens?").args(&flags)
}

fn command(name: &str, index: &Path) -> Program {
    longsight("index").args(name).env("LONGSIGHT_INDEX_DIR", index)
}

fn entries(index: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(index.join("entries")).into_iter().flatten();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// What the run says it did: embeddings, KV prefix.
fn used(answer: &Value) -> (&str, &str) {
    let index = &answer["receipt"]["index"];
    (index["embeddings"].as_str().unwrap(), index["kv_prefix"].as_str().unwrap())
}

#[track_caller]
fn same_answer(a: &Value, b: &Value) {
    assert_eq!(ids(a), ids(b));
    assert_eq!(logprobs(a), logprobs(b), "bit for bit");
    assert_eq!(a["receipt"]["frames"], b["receipt"]["frames"]);
}

#[test]
fn a_second_question_reads_what_the_first_kept_and_is_answered_the_same() {
    for flags in ["", "--kv-dtype q8 --vision-dtype int8", "--kv-dtype bf16"] {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path();
        let ask = |more: &str| ask(index, &format!("{flags} {more}")).json();
        let alone = ask("--no-index");
        assert!(alone["receipt"]["index"].is_null() && entries(index).is_empty());
        let first = ask("");
        let second = ask("");
        assert_eq!((used(&first), used(&second)), (("written", "unused"), ("read", "unused")));
        let encoded = |answer: &Value| answer["receipt"]["dedupe"]["encoded_frames"].as_u64().unwrap();
        assert!(encoded(&first) > 0 && encoded(&second) == 0);
        assert_eq!(second["receipt"]["timings"]["vision_secs"], 0.0);
        assert_eq!(second["receipt"]["timings"]["video_decode_secs"], 0.0);
        let third = ask("--index kv");
        let fourth = ask("");
        assert_eq!((used(&third), used(&fourth)), (("read", "written"), ("unused", "read")));
        let tokens = &fourth["receipt"]["tokens"];
        assert!(tokens["reused"].as_u64() > tokens["visual"].as_u64(), "{tokens}");
        for other in [&first, &second, &third, &fourth] {
            same_answer(&alone, other);
        }
    }
}

#[test]
fn embeddings_are_shared_by_what_does_not_change_them() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |flags: &str| ask(folder.path(), flags).json();
    assert_eq!(used(&ask("")).0, "written");
    for flags in ["--context none", "--scale 3", "--chunk-tokens 8", "--encode-batch 1", "--threads 1"] {
        assert_eq!(used(&ask(flags)).0, "read", "{flags}");
    }
    for flags in ["--pool uniform,2", "--frames 5", "--from 1", "--dedupe 9", "--vision-dtype int8"] {
        assert_eq!(used(&ask(flags)).0, "written", "{flags}");
    }
    let kv = |flags: &str| used(&ask(&format!("--index kv {flags}"))).1.to_owned();
    for flags in ["", "--context none", "--scale 3", "--chunk-tokens 8", "--kv-dtype f16", "--dtype q8_0"] {
        assert_eq!(kv(flags), "written", "{flags}");
        assert_eq!(kv(flags), "read", "{flags}");
    }
}

#[test]
fn damage_is_told_in_one_line_and_made_good() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path();
    let sound = ask(index, "--index kv").json();
    assert_eq!(entries(index).len(), 2);
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        },
        |bytes| bytes.truncate(bytes.len() / 3),
        Vec::clear,
    ];
    for damage in damages {
        for entry in entries(index) {
            let mut bytes = std::fs::read(&entry).unwrap();
            damage(&mut bytes);
            std::fs::write(&entry, bytes).unwrap();
        }
        let verify = command("verify", index).run();
        assert_eq!(verify.code, Some(1));
        assert_names(&verify.stderr, &["2 entries of the index are damaged"]);
        let answer = ask(index, "--index kv").json();
        same_answer(&sound, &answer);
        assert_eq!(used(&answer), ("written", "written"));
        let warnings = answer["receipt"]["warnings"].to_string();
        assert_names(&warnings, &["index: ", "damaged", "made anew"]);
        command("verify", index).run().succeeded();
        same_answer(&sound, &ask(index, "").json());
    }
}

#[test]
fn a_video_changed_in_place_is_another_video() {
    let folder = tempfile::tempdir().unwrap();
    let (video, index) = (folder.path().join("video.mp4"), folder.path().join("index"));
    let ask = || run("ask", &video, &index).args("What? --max-new-tokens 2 --index kv").json();
    std::fs::write(&video, clip_bytes()).unwrap();
    let first = ask();
    // The same length, one byte of the container's free text changed; then the old one again.
    let mut changed = clip_bytes();
    let at = changed.windows(4).position(|bytes| bytes == b"Lavf").unwrap();
    changed[at] = b'l';
    std::fs::write(&video, changed).unwrap();
    let second = ask();
    std::fs::write(&video, clip_bytes()).unwrap();
    let third = ask();
    assert_eq!(used(&first), ("written", "written"));
    assert_eq!(used(&second), ("written", "written"));
    assert_eq!(used(&third), ("unused", "read"));
    let digest = |answer: &Value| answer["receipt"]["index"]["video_digest"].clone();
    assert!(digest(&first) == digest(&third) && digest(&first) != digest(&second));
}

#[test]
fn a_store_that_cannot_be_written_costs_a_warning_and_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"no folder").unwrap();
    let sound = ask(folder.path(), "--no-index").json();
    let answer = ask(&file.join("index"), "").json();
    same_answer(&sound, &answer);
    assert_names(&answer["receipt"]["warnings"].to_string(), &["index: ", "cannot"]);
    let small = ask(&folder.path().join("small"), "--index-size 2KiB").json();
    same_answer(&sound, &small);
    assert_names(
        &small["receipt"]["warnings"].to_string(),
        &["more than the index may hold", "--index-size"],
    );
    assert!(entries(&folder.path().join("small")).is_empty());
    let message = run("index", clip(), &file.join("index")).failure();
    assert_names(&message, &["was not indexed", "file"]);
    let some = folder.path().join("some");
    let command = longsight("index").arg(clip()).env("LONGSIGHT_INDEX_DIR", &some);
    let message =
        command.args("--model tiny --frames 30 --pool uniform,2 --index-size 1MiB --quiet").failure();
    assert_names(&message, &["KV cache was not kept (its embeddings were)", "--index-size"]);
}

/// A program that sees what `mount` (a command of a shell) mounts, and nobody else does; None where the system lets only root
/// mount.
pub fn with_mount(mount: &str, program: Program) -> Option<Program> {
    let alone = |script: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command
    };
    let mounts = alone(mount).output().is_ok_and(|output| output.status.success());
    mounts.then(|| program.inside(alone(&format!("{mount} && exec \"$@\""))))
}

#[test]
fn a_full_disk_and_a_folder_only_to_be_read_cost_a_warning_and_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    std::fs::create_dir(&index).unwrap();
    let at = index.display();
    let full = format!("mount -t tmpfs -o size=16k none {at}");
    let Some(program) = with_mount(&full, ask(&index, "")) else {
        println!("not tested: mounting needs user namespaces here");
        return;
    };
    let sound = ask(&index, "--no-index").json();
    let answer = program.json();
    same_answer(&sound, &answer);
    assert_names(&answer["receipt"]["warnings"].to_string(), &["index: ", "No space left"]);

    let read_only = format!("mount --bind {at} {at} && mount -o remount,ro,bind {at}");
    let answer = with_mount(&read_only, ask(&index, "")).unwrap().json();
    same_answer(&sound, &answer);
    assert_names(&answer["receipt"]["warnings"].to_string(), &["index: ", "Read-only"]);
    assert_eq!(used(&ask(&index, "").json()).0, "written");
    let answer = with_mount(&read_only, ask(&index, "")).unwrap().json();
    same_answer(&sound, &answer);
    assert_eq!(used(&answer).0, "read");
}

#[test]
fn the_limit_holds_and_the_oldest_goes() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path();
    let total = || entries(index).iter().map(|entry| entry.metadata().unwrap().len()).sum::<u64>();
    for frames in 2..12 {
        let answer = ask(index, &format!("--frames {frames} --index-size 250KiB")).json();
        assert_eq!(used(&answer).0, "written", "{answer}");
        assert!(total() <= 250 << 10, "{}", total());
    }
    assert!(entries(index).len() > 1);
    let newest = ask(index, "--frames 11 --index-size 250KiB").json();
    assert_eq!(used(&newest).0, "read");
    assert_eq!(used(&ask(index, "--frames 2 --index-size 250KiB").json()).0, "written");
}

#[test]
fn two_processes_at_once_encode_once() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = ask(folder.path(), "--json --frames 30 --encode-batch 1").command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children = [start(), start(), start()];
    let answers: Vec<Value> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).unwrap()
        })
        .collect();
    let written = answers.iter().filter(|answer| used(answer).0 == "written").count();
    let read = answers.iter().filter(|answer| used(answer).0 == "read").count();
    assert_eq!((written, read), (1, 2));
    answers.iter().for_each(|answer| same_answer(&answers[0], answer));
}

/// Whenever the process is killed, entries are whole or absent, and the next run works. The moments are spread over a run.
#[test]
fn a_killed_writer_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path();
    let started = std::time::Instant::now();
    run("index", clip(), &index.join("timing")).run().succeeded();
    let whole = started.elapsed();
    for moment in 1..=10u32 {
        let mut child = run("index", clip(), index).command().stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.max(Duration::from_millis(50)) * moment / 10);
        child.kill().unwrap();
        child.wait().unwrap();
        command("verify", index).run().succeeded();
        entries(index).iter().for_each(|entry| std::fs::remove_file(entry).unwrap());
    }
    let answer = ask(index, "--index kv").json();
    assert_eq!(used(&answer), ("written", "written"));
    command("gc", index).run().succeeded();
    let left = std::fs::read_dir(index.join("unfinished")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn entries_are_listed_shown_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path();
    run("index", clip(), index).run().succeeded();
    let list = command("list", index).json();
    let list = list.as_array().unwrap();
    let mut kinds: Vec<&str> = list.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["embeddings", "kv", "neutral"]);
    let name = list[0]["name"].as_str().unwrap();
    let shown = command("show", index).arg(&name[..name.len() - 4]).json();
    assert_eq!(shown["name"], name);
    assert_eq!(shown["about"]["frames"], 6);
    assert_names(&command("list", index).text(), &["3 entries", "4,2,8"]);
    let of_video = command("show", index).arg(clip()).args("--json").run().succeeded().json_lines();
    assert_eq!(of_video.len(), 3);
    assert_names(&command("show", index).arg("nothing").failure(), &["no such entry"]);
    assert_names(&command("rm", index).arg(name).text(), &["removed 1 entries"]);
    assert_names(&command("rm", index).arg(clip()).text(), &["removed 2 entries"]);
    assert_eq!(command("list", index).json().as_array().unwrap().len(), 0);
    assert_names(&command("rm", index).arg(clip()).failure(), &["holds nothing"]);
}

#[test]
fn a_variable_set_to_nothing_is_not_set() {
    let folder = tempfile::tempdir().unwrap();
    let text = command("list", folder.path()).env("LONGSIGHT_INDEX_SIZE", "").text();
    assert_names(&text, &["0 entries", "of 10.00 GiB"]);
}

/// Two videos of one name: removing one, by a path relative to where it lies, leaves the other.
#[test]
fn videos_of_one_name_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    for (place, extra) in [("one", &b""[..]), ("two", &b"x"[..])] {
        std::fs::create_dir(folder.path().join(place)).unwrap();
        std::fs::write(folder.path().join(place).join("talk.mp4"), [&clip_bytes(), extra].concat()).unwrap();
        let mut command = run("index", Path::new("talk.mp4"), &index).command();
        assert!(command.current_dir(folder.path().join(place)).status().unwrap().success());
    }
    assert_eq!(entries(&index).len(), 6);
    let mut command = command("rm", &index).arg("talk.mp4").command();
    assert!(command.current_dir(folder.path().join("two")).status().unwrap().success());
    let left = self::command("list", &index).json();
    let videos: Vec<&str> =
        left.as_array().unwrap().iter().map(|e| e["about"]["video"].as_str().unwrap()).collect();
    assert!(videos.len() == 3 && videos.iter().all(|video| video.ends_with("one/talk.mp4")), "{videos:?}");
    // A video that is gone is named as before.
    let one = std::fs::canonicalize(folder.path().join("one")).unwrap();
    std::fs::remove_file(one.join("talk.mp4")).unwrap();
    let mut command = self::command("rm", &index).arg("talk.mp4").command();
    assert!(command.current_dir(&one).env("PWD", &one).status().unwrap().success());
    assert!(entries(&index).is_empty());
}

#[test]
fn a_chat_goes_on_from_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path();
    run("index", clip(), index).args("--json").run().succeeded();
    let chat = |index: &Path, more: &str| {
        let chat = run("chat", clip(), index).args("--json --max-new-tokens 4 --logprobs all").args(more);
        chat.input("What?\nAnd then?").run().succeeded().json_lines()
    };
    let (indexed, alone) = (chat(index, ""), chat(index, "--no-index"));
    assert_eq!(indexed.len(), 2);
    assert_eq!(used(&indexed[0]), ("unused", "read"));
    for (a, b) in indexed.iter().zip(&alone) {
        same_answer(a, b);
    }
}

#[test]
fn several_questions_share_the_video_and_are_answered_apart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("questions.txt");
    std::fs::write(&file, "What is third?\n\n  And a question that is rather longer than the others?\n")
        .unwrap();
    let alone = |question: &str| {
        run("ask", clip(), folder.path())
            .arg(question)
            .args("--no-index --max-new-tokens 6 --logprobs all")
            .json()
    };
    let several = run("ask", clip(), folder.path())
        .args("--no-index --max-new-tokens 6 --logprobs all --json")
        .args("First? -q Second? --questions")
        .arg(&file)
        .run()
        .succeeded()
        .json_lines();
    let asked: Vec<&str> = several.iter().map(|answer| answer["question"].as_str().unwrap()).collect();
    assert_eq!(asked.len(), 4);
    assert_eq!(asked[..3], ["First?", "Second?", "What is third?"]);
    for (answer, question) in several.iter().zip(&asked) {
        same_answer(answer, &alone(question));
    }
    assert!(several[1..].iter().all(|answer| answer["receipt"]["timings"]["vision_secs"] == 0.0));
    let text = run("ask", clip(), folder.path()).args("-q One? -q Two? --no-index --max-new-tokens 2").text();
    assert_names(&text, &["> One?\n", "\n> Two?\n"]);
    let empty = run("ask", clip(), folder.path()).args("-q One? -q").arg(" ").failure();
    assert_names(&empty, &["a question is empty"]);
    let none = run("ask", clip(), folder.path()).run().failed(2);
    assert_names(&none, &["QUESTION"]);
}
