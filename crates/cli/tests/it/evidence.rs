//! Evidence: the built-in model points at the card that it was asked about.

use crate::eval_bench::json_lines;
use crate::program::{Program, assert_names, frames, ids, longsight};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Two minutes of a seed that the model was not trained on; a card shows for 4 to 6 seconds.
fn world() -> &'static Path {
    static WORLD: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = WORLD.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let flags = "--seed 920777 --videos 1 --duration-secs 120..120 --sizes 224x126 --frame-rates 1 --codecs h264 \
                     --cards 6..6 --card-secs 4..6 --questions-per-video 20 --kinds which,what-number --quiet";
        longsight("world").arg("make").arg("--out").arg(folder.path().join("w")).args(flags).run().succeeded();
        folder
    });
    folder.path()
}

/// Open-ended questions: video, question, answers, from, to.
fn questions() -> Vec<(PathBuf, String, Value, f64, f64)> {
    let rows = json_lines(&world().join("w/questions.jsonl"));
    let open = rows.into_iter().filter(|row| row["candidates"].as_array().unwrap().is_empty());
    open.map(|row| {
        let video = world().join("w").join(row["video"].as_str().unwrap());
        let time = |i: usize| row["times_secs"][0][i].as_f64().unwrap();
        (video, row["question"].as_str().unwrap().to_owned(), row["answers"].clone(), time(0), time(1))
    })
    .collect()
}

fn ask(video: &Path, question: &str) -> Program {
    longsight("ask").arg(video).arg(question).args("--quiet --frames 120 --max-new-tokens 8")
}

#[test]
fn the_best_moment_is_when_the_card_shows() {
    let (mut right, mut found) = (0, 0);
    for (video, question, answers, from, to) in questions() {
        let answer = ask(&video, &question).args("--evidence").json();
        if !answers.as_array().unwrap().contains(&answer["answer"]) {
            continue;
        }
        right += 1;
        let evidence = &answer["evidence"];
        let sum: f64 = evidence["frame_scores"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        let best = &evidence["moments"][0];
        let time = best["best_time_secs"].as_f64().unwrap();
        found += usize::from((from..to).contains(&time));
        assert!(best["from_secs"].as_f64() <= Some(time) && Some(time) <= best["to_secs"].as_f64());
        let picture = evidence["thumbnails"][0].as_str().unwrap();
        assert!(picture.starts_with("data:image/jpeg;base64,/9j/"), "{}", &picture[..40]);
    }
    assert!(right >= 6, "{right} right answers");
    assert!(found * 10 >= right * 8, "{found} of {right}");
}

#[test]
fn watching_changes_no_answer_and_the_index_changes_no_evidence() {
    let (video, question, ..) = &questions()[0];
    let folder = tempfile::tempdir().unwrap();
    let plain = ask(video, question).args("--logprobs 5").json();
    let watched = ask(video, question).args("--logprobs 5 --evidence").json();
    assert_eq!(ids(&plain), ids(&watched));
    assert_eq!(plain["first_token_logprobs"], watched["first_token_logprobs"]);
    assert!(plain["evidence"].is_null());
    for _ in 0..2 {
        let indexed = ask(video, question)
            .args("--evidence --index kv --index-dir")
            .arg(folder.path())
            .env("LONGSIGHT_INDEX", "embeddings")
            .json();
        assert_eq!(indexed["evidence"], watched["evidence"]);
    }
}

#[test]
fn moments_follow_the_answer_in_words() {
    let (video, question, ..) = &questions()[0];
    let text = ask(video, question).args("--evidence --moments 1").text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[1].starts_with("evidence: ") && lines[1].ends_with('%'), "{text}");
}

#[test]
fn a_report_is_one_file_that_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (video, question, ..) = &questions()[0];
    let page = folder.path().join("out.html");
    ask(video, question).args("-q Another?<script>alert(1)</script> --report").arg(&page).run().succeeded();
    let html = std::fs::read_to_string(&page).unwrap();
    assert_names(
        &html,
        &[
            "<svg",
            "data:image/jpeg;base64,",
            "of the evidence",
            "Receipt",
            "default-src &#39;none&#39;".replace("&#39;", "'").as_str(),
            "Another?&lt;script&gt;",
        ],
    );
    assert!(!html.contains("<script") && !html.contains("<link"));
    let sources = html.split("src=\"").skip(1);
    assert!(sources.clone().count() > 10 && sources.into_iter().all(|source| source.starts_with("data:")));
    let addresses = html.split("http").skip(1).filter(|rest| !rest.starts_with("://www.w3.org/2000/svg"));
    assert!(addresses.filter(|rest| rest.starts_with("://") || rest.starts_with("s://")).count() == 0);
    let missing = folder.path().join("none/out.html");
    let refused = ask(video, question).arg("--report").arg(&missing).failure();
    assert_names(&refused, &["none/out.html", "no such folder"]);
}

#[cfg(unix)]
#[test]
fn a_report_overwrites_nothing_but_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let (video, question, ..) = &questions()[0];
    let bytes = std::fs::read(video).unwrap();
    let copy = folder.path().join("copy.html"); // a video, whatever its name says
    std::fs::write(&copy, &bytes).unwrap();
    let link = folder.path().join("link.mp4");
    std::os::unix::fs::symlink(&copy, &link).unwrap();
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "precious").unwrap();
    for (video, report, part) in [
        (&copy, copy.clone(), "is the video itself"),
        (&copy, link.clone(), "is the video itself"),
        (video, notes.clone(), "not overwritten"),
        (video, folder.path().to_owned(), "not overwritten"),
        (video, "/dev/null".into(), "not overwritten"),
        (video, "-".into(), "name one"),
    ] {
        let message = ask(video, question).arg("--report").arg(&report).failure();
        assert_names(&message, &[part]);
    }
    assert!(std::fs::read(&copy).unwrap() == bytes && std::fs::read_to_string(&notes).unwrap() == "precious");
    let (page, linked) = (folder.path().join("page.html"), folder.path().join("linked.html"));
    std::fs::write(&page, "old").unwrap();
    std::os::unix::fs::symlink(&page, &linked).unwrap();
    ask(video, question).arg("--report").arg(&linked).run().succeeded();
    assert!(linked.is_symlink() && std::fs::read_to_string(&page).unwrap().contains("<svg"));
}

#[test]
fn moments_that_cannot_be_listed_are_refused() {
    let refused = |flags: &str| {
        longsight("ask").arg(crate::video::clip()).arg("What?").args("--quiet").args(flags).failure()
    };
    assert_names(&refused("--moments 2"), &["--moments lists nothing without --evidence"]);
    assert_names(
        &refused("--evidence-heads all"),
        &["--evidence-heads points at nothing without --evidence"],
    );
    assert_names(&refused("--evidence --moments 0"), &["--moments must be at least 1"]);
}

#[test]
fn heads_that_are_not_there_are_refused() {
    let (video, question, ..) = &questions()[0];
    let message = ask(video, question).args("--evidence --evidence-heads 5.0").failure();
    assert_names(&message, &["no head 0 in layer 5", "5 layers of 4 heads"]);
    for bad in ["3", "3.x", "", "3.0,", "none"] {
        let message = ask(video, question).args("--evidence --evidence-heads").arg(bad).run().failed(2);
        assert_names(&message, &["LAYER.HEAD"]);
    }
    let all = ask(video, question).args("--evidence --evidence-heads all").json();
    assert_eq!(frames(&all["evidence"]["heads"], "0").len(), 20);
}

#[test]
fn localisation_is_measured() {
    let measured = longsight("eval")
        .arg("evidence")
        .arg("--data")
        .arg(world().join("w"))
        .args("--videos 1 --frames 120 --quiet --by-head")
        .json();
    assert_eq!(measured["videos"], 1);
    let all = measured["table"].as_array().unwrap().last().unwrap();
    let share = &all["hits"]["excess"];
    assert!(share["of"].as_u64() >= Some(5) && share["hits"].as_u64() <= share["of"].as_u64());
    assert_eq!(measured["by_head"].as_array().unwrap().len(), 20);
    let empty = tempfile::tempdir().unwrap();
    let message = longsight("eval").args("evidence --quiet --data").arg(empty.path()).failure();
    assert_names(&message, &["questions.jsonl", "longsight world make"]);
}
