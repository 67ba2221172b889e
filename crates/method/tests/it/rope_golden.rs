//! Against `rope.json`: plain Python f64, agreeing with the public implementations of YaRN.

use longsight_method::{ContextMethod, Ramp, RopePlan, RopeSettings, RopeShape, Scale};
use serde_json::Value;

use crate::golden;

fn rope_json() -> Value {
    golden(include_str!("../data/rope.json"))
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn shape(case: &Value) -> RopeShape {
    let window = case.get("L_train_visual").or(case.get("L")).unwrap().as_u64().unwrap() as usize;
    RopeShape {
        head_dim: case["head_dim"].as_u64().unwrap() as usize,
        theta: case["rope_theta"].as_f64().unwrap(),
        visual_window_tokens: window,
        language_window_tokens: window,
    }
}

fn plan(case: &Value, method: ContextMethod, ramp: Ramp) -> RopePlan {
    let settings = RopeSettings {
        method,
        ramp,
        scale: Scale::Fixed(case["s"].as_f64().unwrap()),
        alpha: case["alpha"].as_f64().unwrap(),
        beta: case["beta"].as_f64().unwrap(),
        ..RopeSettings::default()
    };
    RopePlan::new(&settings, &shape(case), 0).unwrap()
}

fn assert_relative(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance * w.abs(), "{what}[{i}]: {g} for {w}");
    }
}

#[test]
fn frequencies_of_every_method_equal_the_golden() {
    use ContextMethod::{Linear, None, Ntk, Vcwe, Yarn};
    let columns = [
        ("base_inv_freq", None, Ramp::Truncated),
        ("inv_freq", Vcwe, Ramp::Truncated),
        ("inv_freq", Yarn, Ramp::Truncated),
        ("inv_freq_truncate_false", Vcwe, Ramp::Untruncated),
        ("inv_freq_rotation_ramp", Vcwe, Ramp::Rotation),
        ("inv_freq_linear", Linear, Ramp::Truncated),
        ("inv_freq_ntk", Ntk, Ramp::Truncated),
    ];
    let json = rope_json();
    for case in json["cases"].as_array().unwrap() {
        for (column, method, ramp) in columns {
            let what = format!("{} s={} {column} {method}", case["name"], case["s"]);
            let inv_freq = plan(case, method, ramp).inv_freq;
            let want = floats(&case[column]);
            assert_relative(&inv_freq, &want, 1e-12, &what);
            let stored: Vec<f64> = inv_freq.iter().map(|f| f64::from(*f as f32)).collect();
            assert_relative(&stored, &want, 1e-6, &what);
        }
    }
}

#[test]
fn attention_factor_and_scale_equal_the_golden() {
    let json = rope_json();
    for case in json["cases"].as_array().unwrap() {
        for method in [ContextMethod::Vcwe, ContextMethod::Yarn] {
            let plan = plan(case, method, Ramp::Truncated);
            let m = plan.attention_factor;
            assert_relative(
                &[m, m * m],
                &floats(&serde_json::json!([case["attention_factor"], case["attention_logit_scale"]])),
                1e-12,
                "m",
            );
            assert_eq!(plan.scale, case["s"].as_f64().unwrap());
        }
    }
}

#[test]
fn ramp_boundaries_are_exact() {
    let json = rope_json();
    for check in json["boundary_checks"].as_array().unwrap() {
        let plan = RopePlan::new(&RopeSettings::default(), &shape(check), 1).unwrap();
        assert_eq!(serde_json::json!([plan.ramp_low, plan.ramp_high]), check["expected"]);
    }
    for case in json["cases"].as_array().unwrap() {
        let plan = plan(case, ContextMethod::Vcwe, Ramp::Truncated);
        assert_eq!(
            serde_json::json!([plan.ramp_low, plan.ramp_high]),
            serde_json::json!([case["low"], case["high"]])
        );
    }
}

#[test]
fn tables_equal_the_golden_at_large_positions() {
    let json = rope_json();
    for case in json["cases"].as_array().unwrap() {
        let plan = plan(case, ContextMethod::Vcwe, Ramp::Truncated);
        for want in case["cos_sin_times_attention_factor"].as_array().unwrap() {
            let position = want["position"].as_u64().unwrap() as usize;
            let table = plan.table(&[position]);
            for (got, name) in [(&table.cos, "cos"), (&table.sin, "sin")] {
                let want = floats(&want[name]);
                assert_eq!(got.len(), want.len());
                for (g, w) in got.iter().zip(want) {
                    assert!((f64::from(*g) - w).abs() <= 1e-6, "{name} at {position}: {g} for {w}");
                }
            }
        }
    }
}

/// The `low..high` column of the table of visual training windows, theta and head size beside it.
#[test]
fn ramp_boundaries_of_published_models() {
    let models = [
        (128, 1e6, 6_272, (15, 32)),
        (64, 1e6, 6_272, (7, 16)),
        (128, 1e6, 13_440, (19, 36)),
        (128, 1e6, 11_648, (18, 35)),
        (128, 1e6, 6_720, (16, 33)),
        (128, 1e9, 7_056, (10, 22)),
        (128, 1e4, 4_608, (21, 46)),
        (128, 1e6, 32_768, (23, 40)),
    ];
    for (head_dim, theta, visual_window_tokens, (low, high)) in models {
        let shape = RopeShape { head_dim, theta, visual_window_tokens, language_window_tokens: 32_768 };
        let plan = RopePlan::new(&RopeSettings::default(), &shape, 50_176).unwrap();
        assert_eq!((plan.ramp_low, plan.ramp_high), (Some(low), Some(high)), "window {visual_window_tokens}");
    }
}
