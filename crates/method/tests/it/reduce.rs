//! Token counts, groups and taps of pooling.

use longsight_method::{
    AxisTap, Grid, MethodError, NewlineMode, PoolMode, PoolPlan, PoolSpec, UnitRole, bilinear_axis,
    pooled_length,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::{golden, onevision};

fn assert_taps(got: &[AxisTap], want: &Value) {
    let want = want.as_array().unwrap();
    assert_eq!(got.len(), want.len());
    for (o, (tap, want)) in got.iter().zip(want).enumerate() {
        assert_eq!(want["o"], o);
        assert_eq!((want["i0"].as_u64(), want["i1"].as_u64()), (Some(tap.i0 as u64), Some(tap.i1 as u64)));
        assert!((tap.w - want["w"].as_f64().unwrap()).abs() <= 1e-12, "output {o}: {tap:?}");
    }
}

#[test]
fn taps_equal_the_golden_for_every_stride() {
    assert_taps(&bilinear_axis(27, 2), &golden(include_str!("../data/pool_27_to_14.json"))["table"]);
    let json = golden(include_str!("../data/pool_27_by_stride.json"));
    let cases = json["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let stride = case["stride"].as_u64().unwrap() as usize;
        let side = pooled_length(27, stride, PoolMode::Bilinear);
        assert_eq!(
            (case["side"].as_u64(), case["tokens_per_frame"].as_u64()),
            (Some(side as u64), Some((side * side) as u64))
        );
        assert_taps(&bilinear_axis(27, stride), &case["table"]);
    }
}

#[test]
fn taps_reproduce_the_golden_pooled_images() {
    let json = golden(include_str!("../data/pool_27_by_stride.json"));
    let input = |y: usize, x: usize| f64::from((((31 * y + 17 * x + 5 * y * x) % 97) as f64 / 97.0) as f32);
    let mut compared = 0;
    for case in json["cases"].as_array().unwrap().iter().filter(|case| !case["output"].is_null()) {
        let taps = bilinear_axis(27, case["stride"].as_u64().unwrap() as usize);
        for (y, row) in taps.iter().enumerate() {
            for (x, column) in taps.iter().enumerate() {
                let along = |i| (1.0 - column.w) * input(i, column.i0) + column.w * input(i, column.i1);
                let got = (1.0 - row.w) * along(row.i0) + row.w * along(row.i1);
                assert!((got - case["output"][y][x].as_f64().unwrap()).abs() <= 1e-12);
            }
        }
        compared += 1;
    }
    assert_eq!(compared, 3);
}

/// The ablation of arXiv 2409.20018 at 256 frames.
#[test]
fn token_counts_of_the_paper_at_256_frames() {
    let rows = [
        ("uniform,2", 50_176),
        ("uniform,4", 12_544),
        ("uniform,8", 4_096),
        ("4,2,4", 21_952),
        ("4,2,8", 15_616),
        ("8,2,4", 17_248),
        ("8,2,8", 9_856),
        ("16,2,4", 14_896),
        ("16,2,8", 6_976),
    ];
    for (spec, tokens) in rows {
        let plan = onevision(256, spec);
        assert_eq!(
            (plan.visual_tokens(), plan.total_tokens(), plan.window_tokens()),
            (tokens, tokens + 1, tokens),
            "{spec}"
        );
    }
}

#[test]
fn sides_of_the_27_grid_by_stride() {
    let bilinear = [27, 14, 9, 7, 6, 5, 4, 4];
    let window = [27, 13, 9, 6, 5, 4, 3, 3];
    for stride in 1..=8 {
        assert_eq!(pooled_length(27, stride, PoolMode::Bilinear), bilinear[stride - 1]);
        assert_eq!(pooled_length(27, stride, PoolMode::Average), window[stride - 1]);
        assert_eq!(pooled_length(27, stride, PoolMode::Max), window[stride - 1]);
    }
}

/// LLaVA-Video's windows: 64 frames of 14 x 15 tokens bilinear, of 13 x 14 average.
#[test]
fn grid_newlines_count_towards_the_window() {
    for (mode, visual, window) in
        [(PoolMode::Bilinear, 196 * 64, 13_440), (PoolMode::Average, 169 * 64, 11_648)]
    {
        let plan =
            PoolPlan::new(Grid::square(27), 64, PoolSpec::Uniform { stride: 2 }, mode, NewlineMode::Grid)
                .unwrap();
        assert_eq!(
            (plan.visual_tokens(), plan.window_tokens(), plan.total_tokens()),
            (visual, window, window)
        );
    }
}

#[test]
fn newlines_of_each_mode() {
    let cases = [
        (NewlineMode::OneToken, 1, 1),
        (NewlineMode::Grid, 14 + 4 + 4, 0),
        (NewlineMode::Frame, 3, 0),
        (NewlineMode::None, 0, 0),
    ];
    for (newline, newlines, trailing) in cases {
        let plan =
            PoolPlan::new(Grid::square(27), 3, PoolSpec::default(), PoolMode::Bilinear, newline).unwrap();
        assert_eq!(
            (plan.newline_tokens(), plan.trailing_newline_tokens()),
            (newlines, trailing),
            "{newline}"
        );
        assert_eq!(plan.total_tokens(), 196 + 16 + 16 + newlines);
    }
}

#[test]
fn a_last_short_group_starts_fine() {
    let plan = onevision(6, "4,2,8");
    let strides: Vec<usize> = plan.units.iter().map(|frame| frame.stride).collect();
    assert_eq!(strides, [2, 8, 8, 8, 2, 8]);
    assert_eq!(plan.units[4].role, UnitRole::Fine);
    assert!(onevision(6, "uniform,8").units.iter().all(|frame| frame.role == UnitRole::Fine));
}

#[test]
fn specs_round_trip_as_text_and_json() {
    assert_eq!(PoolSpec::default().to_string(), "4,2,8");
    for text in ["4,2,8", "uniform,2", "1,1,1"] {
        let spec: PoolSpec = text.parse().unwrap();
        assert_eq!(spec.to_string(), text);
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<PoolSpec>(&json).unwrap(), spec);
    }
    assert_eq!("4, 2, 8".parse(), Ok(PoolSpec::default()));
    for text in [
        "",
        "4",
        "4,2",
        "4,2,8,1",
        "uniform",
        "uniform,",
        "uniform,2,3",
        "a,b,c",
        "-1,2,8",
        "99999999999999999999,2,8",
    ] {
        assert!(matches!(text.parse::<PoolSpec>(), Err(MethodError::PoolSyntax { .. })), "{text}");
    }
    for text in ["0,2,8", "4,0,8", "4,8,2", "uniform,0"] {
        assert!(matches!(text.parse::<PoolSpec>(), Err(MethodError::PoolNumbers { .. })), "{text}");
    }
}

#[test]
fn mode_names_are_those_of_the_checkpoints() {
    let names: Vec<&str> = NewlineMode::ALL.iter().map(|mode| mode.name()).collect();
    assert_eq!(names, ["one_token", "grid", "frame", "no_token"]);
    assert_eq!(serde_json::from_str::<NewlineMode>("\"no_token\"").unwrap(), NewlineMode::None);
    assert_eq!(serde_json::from_str::<PoolMode>("\"average\"").unwrap(), PoolMode::Average);
    assert_eq!(serde_json::to_string(&UnitRole::Coarse).unwrap(), "\"coarse\"");
}

#[test]
fn hostile_numbers_are_named() {
    let plan = |grid, frames, spec, mode| {
        PoolPlan::new(Grid::square(grid), frames, spec, mode, NewlineMode::OneToken)
    };
    let uniform = |stride| PoolSpec::Uniform { stride };
    assert!(matches!(plan(27, 1, uniform(28), PoolMode::Average), Err(MethodError::StrideTooLarge { .. })));
    assert!(matches!(plan(27, 1, uniform(28), PoolMode::Max), Err(MethodError::StrideTooLarge { .. })));
    assert_eq!(plan(27, 1, uniform(28), PoolMode::Bilinear).unwrap().visual_tokens(), 1);
    assert_eq!(plan(27, 1, uniform(usize::MAX), PoolMode::Bilinear).unwrap().visual_tokens(), 1);
    assert!(matches!(plan(27, 1, uniform(0), PoolMode::Bilinear), Err(MethodError::PoolNumbers { .. })));
    let group_of_none = PoolSpec::Progressive { group: 0, fine_stride: 2, coarse_stride: 8 };
    assert!(matches!(plan(27, 1, group_of_none, PoolMode::Bilinear), Err(MethodError::PoolNumbers { .. })));
    for frames in [0, usize::MAX] {
        assert!(matches!(plan(27, frames, uniform(2), PoolMode::Bilinear), Err(MethodError::Frames { .. })));
    }
    for grid in [0, usize::MAX] {
        assert!(matches!(plan(grid, 1, uniform(2), PoolMode::Bilinear), Err(MethodError::Grid { .. })));
    }
    assert!(bilinear_axis(0, 2).is_empty() && bilinear_axis(27, 0).is_empty());
}

proptest! {
    #[test]
    fn counts_follow_from_the_groups(
        grid in 1usize..64, frames in 1usize..300, group in 1usize..20, fine in 1usize..10, extra in 0usize..10,
        mode in prop::sample::select(PoolMode::ALL), newline in prop::sample::select(NewlineMode::ALL),
    ) {
        let coarse = fine + extra;
        let spec = PoolSpec::Progressive { group, fine_stride: fine, coarse_stride: coarse };
        prop_assert_eq!(spec.to_string().parse::<PoolSpec>(), Ok(spec));
        let Ok(plan) = PoolPlan::new(Grid::square(grid), frames, spec, mode, newline) else {
            prop_assert!(mode != PoolMode::Bilinear && coarse > grid);
            return Ok(());
        };
        let fine_frames = frames.div_ceil(group);
        let tokens = |stride| pooled_length(grid, stride, mode).pow(2);
        prop_assert_eq!(plan.visual_tokens(), fine_frames * tokens(fine) + (frames - fine_frames) * tokens(coarse));
        prop_assert_eq!(plan.total_tokens(), plan.visual_tokens() + plan.newline_tokens());
        prop_assert!(plan.units.iter().all(|frame| frame.visual_tokens >= 1));
        let roles = plan.units.iter().map(|frame| frame.role);
        prop_assert!(roles.enumerate().all(|(k, role)| (role == UnitRole::Fine) == (k % group == 0)));
    }

    #[test]
    fn taps_stay_on_the_grid_and_move_forward(grid in 1usize..200, stride in 1usize..200) {
        let taps = bilinear_axis(grid, stride);
        prop_assert_eq!(taps.len(), pooled_length(grid, stride, PoolMode::Bilinear));
        for tap in &taps {
            prop_assert!(tap.i0 < grid && tap.i1 < grid && tap.i1 - tap.i0 <= 1 && (0.0..1.0).contains(&tap.w));
        }
        prop_assert!(taps.windows(2).all(|pair| pair[0].i0 < pair[1].i0));
    }
}
