use super::runs::DecodeStrategy::{Seek, Sequential};
use super::*;

/// `seconds` of video at `fps`, with a keyframe every `group` frames.
fn video(seconds: usize, fps: usize, group: usize, size: (u32, u32)) -> VideoInfo {
    let frames = seconds * fps;
    let times = (0..frames).map(|index| MediaTime::from_secs(index as f64 / fps as f64)).collect();
    VideoInfo::for_tests(times, (0..frames).step_by(group).collect(), size, seconds as f64)
}

fn settings(budget: FrameBudget) -> SampleSettings {
    SampleSettings { budget, ..SampleSettings::default() }
}

fn clip(budget: FrameBudget, from: f64, to: f64) -> SampleSettings {
    SampleSettings {
        from: Some(MediaTime::from_secs(from)),
        to: Some(MediaTime::from_secs(to)),
        ..settings(budget)
    }
}

fn indices(info: &VideoInfo, settings: &SampleSettings) -> Vec<usize> {
    let plan = sample(info, settings).unwrap();
    for (ordinal, frame) in plan.frames.iter().enumerate() {
        assert_eq!((frame.ordinal, frame.time), (ordinal, info.frame_times[frame.index]));
        assert!((plan.clip.0..=plan.clip.1).contains(&frame.index));
    }
    let mut unique: Vec<usize> = plan.frames.iter().map(|frame| frame.index).collect();
    unique.dedup();
    let run_indices: Vec<usize> = plan.runs.iter().flat_map(|run| run.indices.clone()).collect();
    assert_eq!(unique, run_indices, "the runs give each frame once, in order");
    for run in &plan.runs {
        assert!(run.keyframe.is_none_or(|keyframe| keyframe <= run.indices[0]));
    }
    plan.frames.iter().map(|frame| frame.index).collect()
}

const SMALL: (u32, u32) = (160, 64);
const FULL_HD: (u32, u32) = (1920, 1080);

#[test]
fn linspace_equals_numpys() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/data/linspace_indices.json")).unwrap();
    let cases = golden.as_array().unwrap();
    for case in cases {
        let number = |key: &str| case[key].as_u64().unwrap() as usize;
        let expected: Vec<usize> =
            case["idx"].as_array().unwrap().iter().map(|index| index.as_u64().unwrap() as usize).collect();
        assert_eq!(linspace_indices(number("total_frames"), number("n")), expected, "{case}");
    }
    assert!(cases.len() > 100);
}

#[test]
fn linspace_at_its_edges() {
    assert_eq!(linspace_indices(0, 5), [0; 0]);
    assert_eq!(linspace_indices(5, 0), [0; 0]);
    assert_eq!(linspace_indices(1, 3), [0, 0, 0]);
    assert_eq!(linspace_indices(9, 1), [0]);
    assert_eq!(linspace_indices(2, 4), [0, 0, 0, 1]);
}

#[test]
fn uniform_over_the_whole_and_over_a_clip() {
    let info = video(10, 10, 10, SMALL);
    let four = FrameBudget::Uniform { frames: 4 };
    assert_eq!(indices(&info, &settings(four.clone())), [0, 33, 66, 99]);
    assert_eq!(indices(&info, &clip(four.clone(), 2.0, 5.0)), [20, 30, 40, 50]);
    assert_eq!(indices(&info, &clip(four.clone(), 2.05, 2.25)), [20, 20, 21, 22]);
    assert_eq!(indices(&info, &clip(four.clone(), 9.9, 100.0)), [99, 99, 99, 99]);
    let times: Vec<f64> = sample(&info, &clip(four.clone(), 2.0, 5.0))
        .unwrap()
        .frames
        .iter()
        .map(|frame| frame.time.secs())
        .collect();
    assert_eq!(times, [2.0, 3.0, 4.0, 5.0], "the whole video's clock");
}

#[test]
fn a_rate_takes_the_frame_on_screen() {
    let info = video(10, 10, 10, SMALL);
    let rate = |fps, max_frames| FrameBudget::Fps { fps, max_frames };
    assert_eq!(indices(&info, &settings(rate(1.0, 128))), (0..10).map(|k| k * 10).collect::<Vec<_>>());
    assert_eq!(indices(&info, &settings(rate(0.3, 128))), [0, 33, 66]);
    assert_eq!(indices(&info, &settings(rate(20.0, 1000))).len(), 200);
    assert_eq!(indices(&info, &settings(rate(20.0, 1000)))[..4], [0, 0, 1, 1]);
    assert_eq!(indices(&info, &clip(rate(1.0, 128), 2.0, 5.0)), [20, 30, 40, 50]);
    assert_eq!(
        indices(&info, &clip(rate(1.0, 128), 2.05, 5.0)),
        [20, 30, 40],
        "on screen at 2.05 s, then at 3.05 s"
    );
    assert_eq!(indices(&info, &settings(rate(1.0, 10))).len(), 10);
    // 9 are fewer than one a second: the uniform rule.
    assert_eq!(indices(&info, &settings(rate(1.0, 9))), linspace_indices(100, 9));
    assert_eq!(indices(&info, &settings(rate(1e-9, 9))), [0]);
    assert_eq!(indices(&info, &settings(rate(1e300, 3))), linspace_indices(100, 3));
}

/// A screen recording: its pictures change at 0, 60, 61, 62, 120 and 121 s; it ends at 125 s.
fn standing_pictures() -> VideoInfo {
    let times = [0, 60, 61, 62, 120, 121].map(|secs| MediaTime::from_secs(f64::from(secs)));
    VideoInfo::for_tests(times.to_vec(), vec![0], SMALL, 125.0)
}

#[test]
fn a_clip_holds_what_is_on_screen_at_its_start() {
    let info = standing_pictures();
    let rate = FrameBudget::Fps { fps: 0.1, max_frames: 128 };
    assert_eq!(indices(&info, &clip(rate.clone(), 70.0, 119.5)), [3; 5], "62 s stands until 120 s");
    assert_eq!(indices(&info, &clip(rate.clone(), 70.0, 121.0)), [3, 3, 3, 3, 3, 4]);
    assert_eq!(indices(&info, &clip(rate, 10.0, 20.0)), [0, 0]);
    assert_eq!(indices(&info, &clip(FrameBudget::Uniform { frames: 3 }, 70.0, 121.0)), [3, 4, 5]);
    let from = |secs| SampleSettings { from: Some(MediaTime::from_secs(secs)), ..SampleSettings::default() };
    let tens = video(4, 10, 10, SMALL);
    assert_eq!(indices(&tens, &from(3.95)), [39], "the last frame is shown until 4 s");
    assert!(matches!(sample(&tens, &from(4.0)).unwrap_err(), VideoError::ClipPastEnd { .. }));
    assert_eq!(indices(&info, &from(124.9)), [5]);
}

#[test]
fn beyond_the_limit_frames_are_even_in_time() {
    // 10 s at 30 frames a second, then one every 10 s up to 10 minutes.
    let dense = (0..300).map(|k| f64::from(k) / 30.0);
    let times: Vec<MediaTime> =
        dense.chain((1..60).map(|k| f64::from(k) * 10.0)).map(MediaTime::from_secs).collect();
    let info = VideoInfo::for_tests(times, vec![0], SMALL, 600.0);
    let plan = sample(&info, &SampleSettings::default()).unwrap();
    let early = plan.frames.iter().filter(|frame| frame.time.secs() < 10.0).count();
    assert_eq!((plan.frames.len(), early), (128, 3), "a hundred and twenty-eighth of 590 s is 4.6 s");
    assert_eq!((plan.frames[0].index, plan.frames[127].index), (0, 358));
    let slow = standing_pictures();
    let budget = FrameBudget::Fps { fps: 1.0, max_frames: 12 };
    assert_eq!(indices(&slow, &settings(budget)), [0, 0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 5]);
}

#[test]
fn beyond_the_limit_a_constant_rate_is_even_by_index() {
    // A clock of milliseconds rounds the steps of 29.97 frames a second to 33 and 34 ms; one frame is missing.
    let times: Vec<MediaTime> = (0..3000)
        .filter(|&index| index != 1200)
        .map(|index| MediaTime::from_nanos((f64::from(index) * 1001.0 / 30.0).round() as i64 * 1_000_000))
        .collect();
    let info = VideoInfo::for_tests(times, vec![0], SMALL, 100.1);
    assert_eq!(
        indices(&info, &settings(FrameBudget::Fps { fps: 1.0, max_frames: 64 })),
        linspace_indices(2999, 64)
    );
}

#[test]
fn ntsc_rates_do_not_slip_by_a_frame() {
    let times: Vec<MediaTime> = (0..3000)
        .map(|index| MediaTime::from_nanos((index as f64 * 1001e9 / 30000.0).round() as i64))
        .collect();
    let info = VideoInfo::for_tests(times, vec![0], SMALL, 100.1);
    let budget = FrameBudget::Fps { fps: 30000.0 / 1001.0, max_frames: 3000 };
    assert_eq!(indices(&info, &settings(budget)), (0..3000).collect::<Vec<_>>());
}

#[test]
fn impossible_settings_are_refused_by_name() {
    let info = video(10, 10, 10, SMALL);
    let error = |settings: &SampleSettings| sample(&info, settings).unwrap_err();
    let uniform = |frames| FrameBudget::Uniform { frames };
    let rate = |fps, max_frames| settings(FrameBudget::Fps { fps, max_frames });
    assert!(matches!(error(&settings(uniform(0))), VideoError::NoFramesAsked));
    assert!(matches!(error(&settings(uniform(usize::MAX))), VideoError::TooManyFramesAsked { .. }));
    assert!(matches!(error(&rate(1.0, 0)), VideoError::NoFramesAsked));
    for fps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(error(&rate(fps, 5)), VideoError::BadFps { .. }));
    }
    assert!(matches!(error(&clip(uniform(1), 5.0, 5.0)), VideoError::ClipReversed { .. }));
    assert!(matches!(error(&clip(uniform(1), 6.0, 5.0)), VideoError::ClipReversed { .. }));
    let late = VideoInfo::for_tests(vec![MediaTime::from_secs(2.0)], vec![0], SMALL, 3.0);
    let before = sample(&late, &clip(uniform(1), 0.5, 1.0)).unwrap_err();
    assert!(matches!(before, VideoError::ClipEmpty { .. }), "{before}");
    let past = SampleSettings { from: Some(MediaTime::from_secs(10.0)), ..settings(uniform(1)) };
    let error = error(&past);
    assert!(matches!(error, VideoError::ClipPastEnd { .. }), "{error}");
    assert!(error.to_string().contains("0:00:10.000"), "{error}");
}

#[test]
fn an_hour_of_full_hd_is_not_decoded_whole() {
    let info = video(3600, 10, 100, FULL_HD);
    let plan = sample(&info, &settings(FrameBudget::Uniform { frames: 256 })).unwrap();
    assert_eq!(plan.strategy, Seek);
    // A few frames lie so near before the next keyframe that going on is cheaper than starting anew.
    assert!((230..=256).contains(&plan.runs.len()), "{}", plan.runs.len());
    assert!(plan.frames_to_decode < 15_000, "{}", plan.frames_to_decode);
    assert!(plan.strategy_reason.contains("one pass would decode 36000"), "{}", plan.strategy_reason);
}

#[test]
fn near_frames_share_a_run_and_far_ones_do_not() {
    let info = video(600, 10, 50, FULL_HD);
    let dense = sample(&info, &settings(FrameBudget::Fps { fps: 2.0, max_frames: 2000 })).unwrap();
    assert_eq!((dense.strategy, dense.runs.len()), (Sequential, 1));
    let sparse = sample(&info, &settings(FrameBudget::Uniform { frames: 3 })).unwrap();
    assert_eq!((sparse.strategy, sparse.runs.len()), (Seek, 3));
    let runs: Vec<_> = sparse.runs.iter().map(|run| (run.keyframe, run.indices.clone())).collect();
    assert_eq!(runs, [(None, vec![0]), (Some(2950), vec![2999]), (Some(5950), vec![5999])]);
    let clipped = sample(&info, &clip(FrameBudget::Uniform { frames: 5 }, 302.0, 304.0)).unwrap();
    assert_eq!((clipped.strategy, clipped.runs[0].keyframe), (Sequential, Some(3000)));
    assert_eq!(clipped.frames_to_decode, 41);
}

#[test]
fn a_strategy_asked_for_is_kept() {
    let info = video(60, 10, 10, SMALL);
    let with = |strategy| {
        let settings =
            SampleSettings { strategy: Some(strategy), ..settings(FrameBudget::Uniform { frames: 120 }) };
        sample(&info, &settings).unwrap()
    };
    assert_eq!(with(Sequential).runs.len(), 1);
    assert_eq!(with(Seek).runs.len(), 60, "one for each group");
}

#[test]
fn long_runs_are_cut_into_pieces_that_fit_a_command_line() {
    let info = video(1000, 10, 10, SMALL);
    let plan = sample(&info, &settings(FrameBudget::Uniform { frames: 5000 })).unwrap();
    let lengths: Vec<usize> = plan.runs.iter().map(|run| run.indices.len()).collect();
    assert_eq!(lengths, [2048, 2048, 904]);
    assert!(plan.runs[1].keyframe > Some(4000));
}

#[test]
fn the_plan_serialises_without_its_tables() {
    let plan = sample(&video(10, 10, 10, SMALL), &settings(FrameBudget::Uniform { frames: 2 })).unwrap();
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["frames"][1], serde_json::json!({"ordinal": 1, "index": 99, "time": 9.9}));
    assert_eq!(json["decode_runs"], 1);
    assert_eq!(json["strategy"], "sequential");
    assert_eq!(json["frame_count_source"], "presentation times of the demuxed packets");
}
