//! Rules and properties of RoPE plans.

use longsight_method::{ContextMethod, MethodError, Ramp, RopePlan, RopeSettings, RopeShape, Scale};
use proptest::prelude::*;

const QWEN2_7B: RopeShape =
    RopeShape { head_dim: 128, theta: 1e6, visual_window_tokens: 6_272, language_window_tokens: 32_768 };

fn with(method: ContextMethod) -> RopeSettings {
    RopeSettings { method, ..RopeSettings::default() }
}

#[test]
fn scale_is_the_prompt_over_the_window_of_the_method() {
    let cases = [
        (ContextMethod::Vcwe, 50_176, 8.0, 6_272),
        (ContextMethod::Linear, 50_176, 8.0, 6_272),
        (ContextMethod::Ntk, 50_176, 8.0, 6_272),
        (ContextMethod::Yarn, 50_176, 1.53125, 32_768),
        (ContextMethod::Yarn, 15_616, 1.0, 32_768),
        (ContextMethod::Vcwe, 6_271, 1.0, 6_272),
        (ContextMethod::Vcwe, 0, 1.0, 6_272),
        (ContextMethod::None, 50_176, 1.0, 6_272),
    ];
    for (method, tokens, scale, window) in cases {
        let plan = RopePlan::new(&with(method), &QWEN2_7B, tokens).unwrap();
        assert_eq!((plan.scale, plan.window_tokens), (scale, window), "{method} at {tokens} tokens");
    }
}

#[test]
fn a_fixed_scale_overrides_the_prompt_but_not_none() {
    for method in ContextMethod::ALL {
        let settings = RopeSettings { scale: Scale::Fixed(3.5), ..with(*method) };
        let plan = RopePlan::new(&settings, &QWEN2_7B, 50_176).unwrap();
        assert_eq!(plan.scale, if *method == ContextMethod::None { 1.0 } else { 3.5 });
    }
}

#[test]
fn the_attention_factor_belongs_to_the_ramped_methods_and_can_be_off() {
    for method in ContextMethod::ALL {
        let ramped = matches!(method, ContextMethod::Yarn | ContextMethod::Vcwe);
        let fixed = RopeSettings { scale: Scale::Fixed(4.0), ..with(*method) };
        let on = RopePlan::new(&fixed, &QWEN2_7B, 1).unwrap();
        let expected = if ramped { 1.138_629_436_111_989 } else { 1.0 };
        assert!((on.attention_factor - expected).abs() < 1e-15, "{method}");
        let off = RopePlan::new(&RopeSettings { attention_factor: false, ..fixed }, &QWEN2_7B, 1).unwrap();
        assert_eq!(off.attention_factor, 1.0);
        assert_eq!(off.inv_freq, on.inv_freq);
    }
}

#[test]
fn only_the_truncated_ramp_has_whole_boundaries() {
    for ramp in [Ramp::Untruncated, Ramp::Rotation] {
        let plan =
            RopePlan::new(&RopeSettings { ramp, ..RopeSettings::default() }, &QWEN2_7B, 50_176).unwrap();
        assert_eq!((plan.ramp_low, plan.ramp_high), (None, None));
    }
    let linear = RopePlan::new(&with(ContextMethod::Linear), &QWEN2_7B, 50_176).unwrap();
    assert_eq!((linear.ramp_low, linear.ramp_high), (None, None));
}

/// Where the clamps make high < low, YaRN's code leaves every pair alone (a window of a few tokens) or divides
/// every pair (a base too small for the window). The plans equal it there too, and report boundaries, not nonsense.
#[test]
fn degenerate_ramps_equal_the_reference() {
    let cases = [(1e6, 1, 1.0, (0, 0)), (1.5, 1_000_000, 4.0, (1343, 127))];
    for (theta, visual_window_tokens, divisor, (low, high)) in cases {
        let shape = RopeShape { theta, visual_window_tokens, ..QWEN2_7B };
        let plan = RopePlan::new(&RopeSettings::default(), &shape, 4 * visual_window_tokens).unwrap();
        let none = RopePlan::new(&with(ContextMethod::None), &shape, 1).unwrap();
        assert_eq!((plan.scale, plan.ramp_low, plan.ramp_high), (4.0, Some(low), Some(high)));
        for (got, base) in plan.inv_freq.iter().zip(&none.inv_freq) {
            assert!((got - base / divisor).abs() <= 1e-15 * base);
        }
    }
}

#[test]
fn a_table_is_row_major_and_its_rows_do_not_depend_on_the_start() {
    let plan = RopePlan::new(&RopeSettings::default(), &QWEN2_7B, 50_176).unwrap();
    let whole = plan.table(&(0..300).collect::<Vec<_>>());
    assert_eq!((whole.half_dim, whole.cos.len(), whole.sin.len()), (64, 300 * 64, 300 * 64));
    let part = plan.table(&[257, 258, 259]);
    assert_eq!(part.cos, whole.cos[257 * 64..260 * 64]);
    assert_eq!(part.sin, whole.sin[257 * 64..260 * 64]);
    assert_eq!(whole.cos[..64], vec![plan.attention_factor as f32; 64]);
    assert_eq!(whole.sin[..64], vec![0.0; 64]);
    let angle = 258.0 * plan.inv_freq[20];
    assert_eq!(part.sin[64 + 20], (angle.sin() * plan.attention_factor) as f32);
    assert!(plan.table(&[]).cos.is_empty());
}

#[test]
fn hostile_shapes_and_settings_are_named() {
    let fails = |settings: RopeSettings, shape| RopePlan::new(&settings, &shape, 1).unwrap_err();
    let default = RopeSettings::default;
    for head_dim in [0, 1, 127, usize::MAX, usize::MAX - 1] {
        let error = fails(default(), RopeShape { head_dim, ..QWEN2_7B });
        assert!(matches!(error, MethodError::HeadDim { .. }), "{error}");
    }
    for theta in [1.0, 0.0, -1e6, f64::NAN, f64::INFINITY] {
        let error = fails(default(), RopeShape { theta, ..QWEN2_7B });
        assert!(matches!(error, MethodError::Theta { .. }), "{error}");
    }
    let error = fails(default(), RopeShape { visual_window_tokens: 0, ..QWEN2_7B });
    assert_eq!(error, MethodError::Window { which: "visual" });
    let error = fails(default(), RopeShape { language_window_tokens: 0, ..QWEN2_7B });
    assert_eq!(error, MethodError::Window { which: "language" });
    for (alpha, beta) in
        [(0.0, 1.0), (2.0, 2.0), (3.0, 2.0), (1.0, f64::INFINITY), (f64::NAN, 1.0), (1.0, f64::NAN)]
    {
        let error = fails(RopeSettings { alpha, beta, ..default() }, QWEN2_7B);
        assert!(matches!(error, MethodError::RampBounds { .. }), "{error}");
    }
    for scale in [0.5, -1.0, f64::NAN, f64::INFINITY] {
        let error = fails(RopeSettings { scale: Scale::Fixed(scale), ..default() }, QWEN2_7B);
        assert!(matches!(error, MethodError::Scale { .. }), "{error}");
    }
    let two_channels = RopeShape { head_dim: 2, ..QWEN2_7B };
    assert_eq!(fails(with(ContextMethod::Ntk), two_channels), MethodError::NtkHeadDim);
    let vast = RopeSettings { scale: Scale::Fixed(1e308), ..with(ContextMethod::Ntk) };
    assert!(matches!(fails(vast, QWEN2_7B), MethodError::NtkOverflow { .. }));
}

#[test]
fn names_round_trip_and_unknown_ones_are_answered_with_the_list() {
    for method in ContextMethod::ALL {
        assert_eq!(method.name().parse(), Ok(*method));
        assert_eq!(serde_json::to_string(method).unwrap(), format!("\"{method}\""));
    }
    let error = "vwce\n".parse::<ContextMethod>().unwrap_err().to_string();
    assert_eq!(error, r#"unknown context method "vwce\n": use one of none, linear, ntk, yarn, vcwe"#);
    assert_eq!(ContextMethod::default(), ContextMethod::Vcwe);
    assert_eq!(Ramp::default(), Ramp::Truncated);
}

#[test]
fn scales_are_read_from_text() {
    assert_eq!("auto".parse(), Ok(Scale::Auto));
    assert_eq!("2.5".parse(), Ok(Scale::Fixed(2.5)));
    for text in ["", "0.99", "-2", "inf", "NaN", "2x", "AUTO"] {
        assert!(text.parse::<Scale>().is_err(), "{text}");
    }
    for scale in [Scale::Auto, Scale::Fixed(1.0), Scale::Fixed(1.0 / 0.3)] {
        assert_eq!(scale.to_string().parse(), Ok(scale));
        let json = serde_json::to_string(&scale).unwrap();
        assert_eq!(serde_json::from_str::<Scale>(&json).unwrap(), scale);
    }
    assert!(serde_json::from_str::<Scale>("\"0.5\"").is_err());
}

#[test]
fn settings_left_out_take_the_defaults_and_misspelt_ones_are_refused() {
    let settings: RopeSettings = serde_json::from_str(r#"{"method":"yarn","scale":"2"}"#).unwrap();
    assert_eq!(settings, RopeSettings { scale: Scale::Fixed(2.0), ..with(ContextMethod::Yarn) });
    assert!(serde_json::from_str::<RopeSettings>(r#"{"metod":"yarn"}"#).is_err());
}

prop_compose! {
    fn shapes()(half in 2usize..=96, log_theta in 0.5f64..21.0, visual in 1usize..40_000, language in 1usize..300_000)
        -> RopeShape {
        RopeShape {
            head_dim: 2 * half,
            theta: log_theta.exp(),
            visual_window_tokens: visual,
            language_window_tokens: language,
        }
    }
}

fn methods() -> impl Strategy<Value = ContextMethod> {
    prop::sample::select(ContextMethod::ALL)
}

fn ramps() -> impl Strategy<Value = Ramp> {
    prop::sample::select(Ramp::ALL)
}

proptest! {
    #[test]
    fn frequencies_fall_and_stay_between_f_over_s_and_f(
        shape in shapes(), method in methods(), ramp in ramps(),
        scale in 1f64..64.0, alpha in 0.1f64..4.0, width in 0.1f64..60.0,
    ) {
        let beta = alpha + width;
        let settings = RopeSettings { method, ramp, alpha, beta, scale: Scale::Fixed(scale), attention_factor: true };
        let plan = RopePlan::new(&settings, &shape, 0).unwrap();
        let none = RopePlan::new(&with(ContextMethod::None), &shape, 0).unwrap();
        prop_assert_eq!(plan.inv_freq.len(), shape.head_dim / 2);
        for (got, base) in plan.inv_freq.iter().zip(&none.inv_freq) {
            prop_assert!(*got <= base * (1.0 + 1e-12) && *got >= base / scale * (1.0 - 1e-12));
        }
        prop_assert!(plan.inv_freq.windows(2).all(|pair| pair[1] <= pair[0] * (1.0 + 1e-12)));
    }

    #[test]
    fn a_video_within_the_window_is_untouched_by_every_method(
        shape in shapes(), method in methods(), ramp in ramps(), share in 0f64..=1.0,
    ) {
        let window = shape.visual_window_tokens.min(shape.language_window_tokens);
        let tokens = (window as f64 * share) as usize;
        let plan = RopePlan::new(&RopeSettings { method, ramp, ..with(method) }, &shape, tokens).unwrap();
        let none = RopePlan::new(&with(ContextMethod::None), &shape, tokens).unwrap();
        prop_assert_eq!((plan.scale, plan.attention_factor), (1.0, 1.0));
        prop_assert_eq!(plan.inv_freq, none.inv_freq);
    }

    #[test]
    fn any_text_is_parsed_or_refused_in_one_line(text in "\\PC*|[0-9eE.+-]{0,8}|.*") {
        if let Ok(scale) = text.parse::<Scale>() {
            prop_assert_eq!(scale.to_string().parse::<Scale>(), Ok(scale));
        } else {
            let message = text.parse::<Scale>().unwrap_err().to_string();
            prop_assert_eq!(message.lines().count(), 1);
        }
    }
}
