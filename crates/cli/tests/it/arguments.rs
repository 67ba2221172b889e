//! Arguments that cannot be meant, each with one clear line: exit code 2 where they cannot even be read, else 1.

use crate::program::{Program, ask, assert_names, longsight};
use crate::video::clip;
use longsight_testkit::golden::checkpoint_dir;

const CASE: &str = "d32-gqa-tied";

/// Four frames of the clip.
fn good() -> Program {
    ask(clip(), CASE).args("--frames 4")
}

#[test]
fn zero_frames() {
    let message = ask(clip(), CASE).args("--frames 0").failure();
    assert_names(&message, &["0 frames", "at least 1"]);
    assert_names(&ask(clip(), CASE).args("--max-frames 0").failure(), &["0 frames"]);
}

#[test]
fn rates_that_are_none() {
    assert_names(&ask(clip(), CASE).args("--fps 0").failure(), &["frame rate of 0"]);
    assert_names(&ask(clip(), CASE).args("--fps -1").failure(), &["frame rate of -1"]);
    assert_names(&ask(clip(), CASE).args("--fps nan").failure(), &["frame rate of NaN"]);
}

#[test]
fn from_past_the_end() {
    assert_names(&good().args("--from 10").failure(), &["0:00:10.000", "past the end", "0:00:03.000"]);
}

#[test]
fn from_after_to() {
    assert_names(&good().args("--from 2 --to 1").failure(), &["--from 0:00:02.000", "--to 0:00:01.000"]);
}

#[test]
fn times_that_are_none() {
    for time in ["-5", "1:75", "soon", "1e3"] {
        let message = good().args("--from").arg(time).run().failed(2);
        assert_names(&message, &["--from", time, "M:SS"]);
    }
}

#[test]
fn arguments_that_cannot_be_understood() {
    for (flag, value, reason) in [
        ("--pool", "4,8", "GROUP,FINE,COARSE"),
        ("--pool", "4,8,2", "coarse at least fine"),
        ("--dedupe", "on", "off, exact, or a number from 0 to 255"),
        ("--dedupe", "-1", "from 0 to 255"),
        ("--dedupe", "256", "from 0 to 255"),
        ("--dedupe", "nan", "from 0 to 255"),
        ("--scale", "0.5", "at least 1"),
        ("--scale", "-2", "at least 1"),
        ("--memory", "junk", "6GiB"),
        ("--context", "rope", "vcwe"),
        ("--logprobs", "some", "a number, or all"),
        ("--template", "vicuna", "trained"),
        ("--frames", "many", "invalid digit"),
        ("--max-new-tokens", "18446744073709551615", "16777216"),
        ("--chunk-tokens", "18446744073709551615", "16777216"),
        ("--encode-batch", "18446744073709551615", "16777216"),
        ("--dtype", "int9", "bf16"),
        ("--vision-dtype", "q3k", "int8"),
        ("--kv-dtype", "q4", "q8"),
        ("--kv-dtype", "f64", "auto, f32, f16, bf16, q8"),
    ] {
        let message = ask(clip(), CASE).arg(flag).arg(value).run().failed(2);
        assert_names(&message, &[flag, value, reason]);
    }
    assert_names(&ask(clip(), CASE).args("--frames 2 --fps 1").run().failed(2), &["--frames", "--fps"]);
    assert_names(&ask(clip(), CASE).args("--speed 2").run().failed(2), &["--speed"]);
    assert_names(&longsight("ask").run().failed(2), &["<VIDEO>", "<QUESTION>"]);
    assert_names(&longsight("dance").run().failed(2), &["dance"]);
}

#[test]
fn numbers_that_cannot_be_meant() {
    for (flag, value) in [
        ("--temperature", "-1"),
        ("--temperature", "nan"),
        ("--top-p", "0"),
        ("--top-p", "-0.5"),
        ("--repetition-penalty", "0"),
        ("--max-new-tokens", "0"),
        ("--chunk-tokens", "0"),
        ("--encode-batch", "0"),
        ("--threads", "0"),
    ] {
        assert_names(&good().arg(flag).arg(value).failure(), &[flag]);
    }
    assert_names(&good().args("--alpha 5 --beta 2").failure(), &["alpha 5", "beta 2"]);
    assert_names(&good().args("--visual-window 0").failure(), &["visual window"]);
    assert_names(&good().args("--logprobs 3").failure(), &["--logprobs", "--json"]);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_was_not_built_in() {
    assert_names(&good().args("--device cuda").failure(), &["--device cuda", "--features cuda"]);
}

#[test]
fn the_largest_counts_still_give_a_plan_or_one_line() {
    let plan = |flags: &str| {
        let plan = longsight("plan").arg(clip()).arg("--model").arg(checkpoint_dir(CASE)).args(flags);
        plan.json()["memory_total_bytes"].as_u64().unwrap()
    };
    assert!(plan("--max-new-tokens 16777216 --chunk-tokens 16777216 --encode-batch 16777216") > 1 << 34);
    assert!(plan("--frames 131072") > 1 << 30);
    let message = good().args("--frames 131073").failure();
    assert_names(&message, &["131073 frames", "131072"]);
    good().args("--chunk-tokens 16777216 --encode-batch 16777216 --logprobs 16777216").json();
}
