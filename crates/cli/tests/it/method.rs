//! `--context` and its settings.

use crate::program::{Program, ask, distance, ids};
use crate::video::clip;
use serde_json::Value;

/// 9 frames of the clip with windows far smaller than their 99 visual tokens.
fn extended(flags: &str) -> Program {
    ask(clip(), "d32-gqa-tied")
        .args("--frames 9 --visual-window 24 --language-window 48 --logprobs all")
        .args(flags)
}

fn context(answer: &Value) -> &Value {
    &answer["receipt"]["context"]
}

#[test]
fn each_method_has_its_scale_and_its_own_answer() {
    let visual = 99.0;
    let methods = [("none", 1.0), ("linear", visual / 24.0), ("ntk", visual / 24.0), ("vcwe", visual / 24.0)];
    let mut answers = Vec::new();
    for (method, scale) in methods.into_iter().chain([("yarn", visual / 48.0)]) {
        let answer = extended(&format!("--context {method}")).json();
        assert_eq!(answer["receipt"]["tokens"]["visual"], 99);
        assert_eq!(context(&answer)["method"], method);
        assert_eq!(context(&answer)["scaled_tokens"], 99);
        let found = context(&answer)["scale"].as_f64().unwrap();
        assert!((found - scale).abs() < 1e-12, "{method}: {found}");
        answers.push((method, answer));
    }
    for (i, (a, first)) in answers.iter().enumerate() {
        for (b, second) in &answers[i + 1..] {
            assert!(distance(first, second) > 1e-3, "{a} and {b} are the same");
        }
    }
    assert_eq!(context(&answers[4].1)["window_source"], "--language-window");
    assert_eq!(context(&answers[3].1)["window_source"], "--visual-window");
}

#[test]
fn within_the_window_no_method_changes_anything() {
    let plain = extended("--context none").json();
    for method in ["linear", "ntk", "yarn", "vcwe"] {
        let wide = format!("--context {method} --visual-window 1000 --language-window 1000");
        let wide = ask(clip(), "d32-gqa-tied").args("--frames 9 --logprobs all").args(&wide).json();
        assert_eq!(context(&wide)["scale"], 1.0);
        assert_eq!((ids(&wide), distance(&wide, &plain)), (ids(&plain), 0.0), "{method}");
    }
}

#[test]
fn the_attention_factor_can_be_left_out() {
    let (on, off) = (extended("").json(), extended("--attention-factor off").json());
    let factor = |answer: &Value| context(answer)["attention_factor"].as_f64().unwrap();
    assert!((factor(&on) - (0.1 * (99f64 / 24.0).ln() + 1.0)).abs() < 1e-12);
    assert_eq!(factor(&off), 1.0);
    assert_eq!(context(&off)["attention_factor_on"], false);
    assert!(distance(&on, &off) > 1e-3);
}

#[test]
fn a_fixed_scale_and_the_ends_of_the_ramp_are_used() {
    let auto = extended("").json();
    let fixed = extended("--scale 2.5").json();
    assert_eq!(context(&fixed)["scale"], 2.5);
    assert!(distance(&auto, &fixed) > 1e-3);
    let ramp = extended("--alpha 0.25 --beta 4").json();
    assert_eq!((&context(&ramp)["alpha"], &context(&ramp)["beta"]), (&0.25.into(), &4.0.into()));
    assert!(distance(&auto, &ramp) > 1e-4);
}

#[test]
fn pooling_as_typed() {
    let progressive = extended("--pool 3,2,4").json();
    // ceil(9/2)^2 for every third frame, ceil(9/4)^2 for the others.
    assert_eq!(progressive["receipt"]["tokens"]["visual"], 3 * 25 + 6 * 9);
    assert_eq!(progressive["receipt"]["pool"]["spec"], "3,2,4");
    let uniform = extended("--pool uniform,3").json();
    assert_eq!(uniform["receipt"]["tokens"]["visual"], 9 * 9);
    let roles = crate::program::frames(&uniform["receipt"]["frames"], "stride");
    assert!(roles.iter().all(|stride| **stride == 3), "{roles:?}");
}
