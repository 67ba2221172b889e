//! The built-in model: its answers are right, they are its own, and they come from the frames.

use crate::eval_bench::{json_lines, read_json};
use crate::program::{Program, longsight};
use crate::video::ffmpeg;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Videos of seeds that the model was not trained on, a frame a second.
fn world() -> &'static Path {
    static WORLD: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = WORLD.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let flags = "--seed 920501 --videos 10 --duration-secs 12..16 --sizes 224x126 --frame-rates 1 --codecs h264 \
                     --cards 3..4 --card-secs 2..3 --gap-secs 1 --questions-per-video 20 \
                     --kinds which,what-number,is-there,first,next --quiet";
        let make = longsight("world").arg("make").arg("--out").arg(folder.path().join("w")).args(flags);
        make.run().succeeded();
        folder
    });
    folder.path()
}

/// Open-ended questions of some kinds: number of the video, question, accepted answers.
fn questions(kinds: &[&str]) -> Vec<(usize, String, Vec<String>)> {
    let rows = json_lines(&world().join("w/questions.jsonl"));
    let asked = rows.iter().filter(|row| {
        kinds.contains(&row["kind"].as_str().unwrap()) && row["candidates"].as_array().unwrap().is_empty()
    });
    let texts =
        |value: &Value| value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().into()).collect();
    asked
        .map(|row| {
            let video = row["id"].as_str().unwrap().split('-').next().unwrap().parse().unwrap();
            (video, row["question"].as_str().unwrap().to_owned(), texts(&row["answers"]))
        })
        .collect()
}

/// The frames of a video as images, `order` giving for each place the frame that is put there.
fn images(video: usize, order: impl Fn(usize, usize) -> usize) -> tempfile::TempDir {
    let frames = tempfile::tempdir().unwrap();
    let pattern = frames.path().join("%04d.png");
    ffmpeg("-i {} -start_number 0 {}", &[&world().join(format!("w/videos/{video:05}.mp4")), &pattern]);
    let count = std::fs::read_dir(frames.path()).unwrap().count();
    let ordered = tempfile::tempdir().unwrap();
    for place in 0..count {
        let name = |i: usize| PathBuf::from(format!("{i:04}.png"));
        std::fs::copy(frames.path().join(name(order(place, count))), ordered.path().join(name(place)))
            .unwrap();
    }
    ordered
}

fn answer(video: &Path, question: &str) -> String {
    longsight("ask").arg(video).arg(question).args("--quiet").text().trim().to_owned()
}

fn right(answers: &[(String, Vec<String>)]) -> usize {
    answers.iter().filter(|(said, accepted)| accepted.contains(said)).count()
}

/// Right answers and questions of an evaluation.
fn evaluated(data: &Path, flags: &str) -> (u64, u64) {
    let out = tempfile::tempdir().unwrap();
    let run = out.path().join("run");
    let program = longsight("eval").arg("world").arg("--data").arg(data).arg("--out").arg(&run);
    let outcome = program.args(flags).run().succeeded();
    assert!(outcome.stderr.contains("model tiny, built in"), "{}", outcome.stderr);
    let results = read_json(run.join("results.json"));
    let count = |name: &str| results["all"][name].as_u64().unwrap();
    (count("correct"), count("total"))
}

#[test]
fn questions_about_videos_never_seen_are_answered_rightly() {
    let (correct, total) = evaluated(&world().join("w"), "--fps 1");
    assert!(total >= 60 && correct * 100 >= total * 95, "{correct} of {total} are right");
}

#[test]
fn quantized_weights_keep_the_answers_right() {
    for flags in ["--dtype q8_0", "--dtype q4k", "--dtype q4_0 --vision-dtype q4_0"] {
        let (correct, total) = evaluated(&world().join("w"), &format!("--fps 1 --limit 60 {flags}"));
        assert!(total >= 40 && correct * 100 >= total * 90, "{flags}: {correct} of {total} are right");
    }
}

#[test]
fn a_quantized_checkpoint_answers_as_its_original_quantized_on_load() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("tiny-q4k");
    let quantize = |dtype: &str| {
        longsight("quantize")
            .args(&format!("--model tiny --json --dtype {dtype} --output"))
            .arg(&made)
            .args("--quiet")
    };
    let written = quantize("q4k").json();
    assert!(written["bytes"].as_u64().unwrap() < 6 << 20, "{written}");
    let video = world().join("w/videos/00000.mp4");
    let ask = |program: Program| {
        let answer = program
            .arg(&video)
            .args("--fps 1 --quiet --json --logprobs 3")
            .arg("What happens in this video?");
        answer.json()
    };
    let mapped = ask(longsight("ask").arg("--model").arg(&made));
    let on_load = ask(longsight("ask").args("--dtype q4k"));
    for field in ["answer", "token_ids", "first_token_logprobs"] {
        assert!(!mapped[field].is_null(), "{field}");
        assert_eq!(mapped[field], on_load[field], "{field}");
    }
    let model = &mapped["receipt"]["model"];
    assert_eq!((&model["dtype"], &model["vision_dtype"]), (&"q4k".into(), &"int8".into()));
    assert_eq!(model["matrices"], on_load["receipt"]["model"]["matrices"]);
    assert!(model["matrices"].as_array().unwrap().iter().any(|m| m["dtype"] == "q8_0"), "{model}");
    let told =
        longsight("ask").args("--dtype q4k --fps 1").arg(&video).arg("What happens?").run().succeeded();
    assert!(told.stderr.contains("matrices in q8_0)"), "{}", told.stderr);

    assert!(quantize("q8_0").run().failed(1).contains("name a new folder"));
    let other =
        longsight("ask").arg("--model").arg(&made).arg(&video).args("? --dtype q8_0 --quiet").run().failed(1);
    assert!(other.contains("quantized to q4k"), "{other}");
}

#[test]
fn eight_bit_keys_and_values_keep_the_answers_right() {
    let (correct, total) = evaluated(&world().join("w"), "--fps 1 --kv-dtype q8");
    assert!(total >= 60 && correct * 100 >= total * 95, "{correct} of {total} are right");
}

/// 256 frames are 2,368 visual tokens here, 2.4 times what the model has seen in training.
#[test]
fn past_the_visual_window_the_method_keeps_the_answers_right() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("w");
    let flags = "--seed 920502 --videos 3 --duration-secs 256..256 --sizes 224x126 --frame-rates 1 --codecs h264 --cards 5..6 \
                 --card-secs 8..10 --questions-per-video 20 --kinds which,what-number,next,when --quiet";
    longsight("world").arg("make").arg("--out").arg(&data).args(flags).run().succeeded();
    let (extended, total) = evaluated(&data, "--frames 256");
    let (unextended, _) = evaluated(&data, "--frames 256 --context none");
    assert!(total >= 24 && extended * 100 >= total * 85, "{extended} of {total} are right");
    assert!((unextended + 5) < extended, "{unextended} of {total} without the method, {extended} with it");
}

#[test]
fn order_answers_follow_the_order_of_the_frames() {
    let mut turned = 0;
    let asked = questions(&["first"]);
    for (video, question, accepted) in &asked {
        let (forward, backward) = (images(*video, |i, _| i), images(*video, |i, count| count - 1 - i));
        let (then, now) = (answer(forward.path(), question), answer(backward.path(), question));
        // Of two cards the other one comes first when the frames run backwards.
        turned += usize::from(accepted.contains(&then) && now != then && question.contains(&now));
    }
    assert!(asked.len() >= 6 && turned * 10 >= asked.len() * 9, "{turned} of {} turned", asked.len());
}

#[test]
fn without_the_plates_there_is_nothing_to_retrieve() {
    let (mut seen, mut blank) = (Vec::new(), Vec::new());
    for (video, question, accepted) in questions(&["which", "what-number"]) {
        let cards = read_json(world().join(format!("w/truth/{video:05}.json")))["cards"].clone();
        let is_card = |i: usize| {
            let shows = |card: &Value| {
                let frame = |name: &str| card[name].as_u64().unwrap() as usize;
                (frame("first_frame")..=frame("last_frame")).contains(&i)
            };
            cards.as_array().unwrap().iter().any(shows)
        };
        assert!(!is_card(0), "a video begins with footage");
        let without = images(video, |i, _| if is_card(i) { 0 } else { i });
        seen.push((answer(images(video, |i, _| i).path(), &question), accepted.clone()));
        blank.push((answer(without.path(), &question), accepted));
    }
    let (with, without) = (right(&seen), right(&blank));
    assert!(with * 100 >= seen.len() * 95, "{with} of {} are right with the plates", seen.len());
    assert!(without * 100 <= seen.len() * 40, "{without} of {} are right without", seen.len());
}
