//! Near-duplicate frames: what is encoded once changes nothing that is said.

use crate::support::{Case, planned, start, start_encoded};
use longsight_engine::{
    Answer, Dedupe, EncodedFrames, FrameSource, Observer, Receipt, RunSettings, Silent, Stage,
};
use longsight_video::{FrameBudget, VideoSource};

/// The golden's images in this order; a number twice is the same picture twice.
fn case(name: &str, indices: &[usize]) -> Case {
    let mut case = Case::new(name);
    case.settings.engine.spare_tokens = 100;
    case.settings.video.sample.budget = FrameBudget::Indices(indices.into());
    case
}

impl Case {
    fn settings(&self, dedupe: Dedupe, batch_frames: usize) -> RunSettings {
        let mut settings = RunSettings { dedupe, ..self.settings.clone() };
        settings.engine.encode_batch_frames = batch_frames;
        settings
    }

    fn ask(&self, settings: &RunSettings) -> Answer {
        let plan = self.plan(settings);
        let mut session = start(&self.model, plan, settings);
        session.ask("What?", &mut Silent).unwrap()
    }

    fn ask_encoded(&self, settings: &RunSettings, encoded: &EncodedFrames) -> Answer {
        let plan = self.plan(settings);
        start_encoded(&self.model, plan, settings, encoded).unwrap().ask("What?", &mut Silent).unwrap()
    }
}

fn counts(receipt: &Receipt) -> (usize, usize) {
    (receipt.dedupe.encoded_frames, receipt.dedupe.reused_frames)
}

fn reused(receipt: &Receipt) -> Vec<bool> {
    receipt.frames.iter().map(|frame| frame.reused).collect()
}

#[test]
fn exact_is_bit_equal_to_off_in_batches_of_any_size() {
    // Runs that begin and end inside batches, on fine and on coarse frames; the default pooling has groups of 4.
    let indices = [0, 0, 0, 0, 0, 1, 2, 2, 2, 3, 3, 3, 3];
    for name in ["d32-gqa-tied", "d64-mha-sharded", "video-average"] {
        let case = case(name, &indices);
        let off = case.ask(&case.settings(Dedupe::Off, 4));
        assert_eq!(counts(&off.receipt), (13, 0));
        for batch_frames in [1, 2, 3, 4, 100] {
            let exact = case.ask(&case.settings(Dedupe::Exact, batch_frames));
            assert_eq!(exact.generation, off.generation, "{name} {batch_frames}");
            assert_eq!(counts(&exact.receipt), (4, 9), "{name} {batch_frames}");
            let expected: Vec<bool> = (0..13).map(|i| i > 0 && indices[i] == indices[i - 1]).collect();
            assert_eq!(reused(&exact.receipt), expected);
        }
    }
}

#[test]
fn a_tower_batch_does_not_change_its_frames() {
    for name in ["d32-gqa-tied", "d64-mha-sharded", "video-average"] {
        let case = case(name, &[0, 1, 2, 3]);
        let alone = case.ask(&case.settings(Dedupe::Off, 1));
        let together = case.ask(&case.settings(Dedupe::Off, 4));
        assert_eq!(alone.generation, together.generation, "{name}");
    }
}

#[test]
fn encoded_frames_re_use_and_report_alike() {
    let case = case("d32-gqa-tied", &[0, 0, 1, 1, 1, 2, 3, 3]);
    let encode = |settings: &RunSettings| {
        let plan = case.plan(settings);
        EncodedFrames::encode(&case.model, &plan, &[2, 8], settings, &mut Silent).unwrap()
    };
    let (off, exact) = (case.settings(Dedupe::Off, 3), case.settings(Dedupe::Exact, 3));
    let direct = case.ask(&off);
    let held = case.ask_encoded(&exact, &encode(&exact));
    assert_eq!(held.generation, direct.generation);
    assert_eq!(counts(&held.receipt), (4, 4));
    assert_eq!(reused(&held.receipt), reused(&case.ask(&exact).receipt));
    assert_eq!(case.ask_encoded(&off, &encode(&off)).generation, direct.generation);
    let mut fewer = exact.clone();
    fewer.video.sample.budget = FrameBudget::Indices([0, 0, 1, 1, 1].into());
    let first = case.ask_encoded(&fewer, &encode(&exact).first(5));
    assert_eq!(first.generation, case.ask(&fewer).generation);
    assert_eq!(counts(&first.receipt), (2, 3));
}

#[test]
fn a_long_static_scene_is_encoded_once_and_progress_counts_every_frame() {
    struct Steps(Vec<usize>);
    impl Observer for Steps {
        fn progress(&mut self, stage: Stage, done: usize, total: usize) {
            assert!(stage != Stage::Frames || total == 90);
            self.0.push(done);
        }
    }
    let indices: Vec<usize> = (0..90).map(|i| i / 85).collect();
    let case = case("d32-gqa-tied", &indices);
    let settings = case.settings(Dedupe::Exact, 2);
    let mut steps = Steps(Vec::new());
    let mut session =
        planned(case.plan(&settings), &settings).start(&case.model, FrameSource::Video, &mut steps).unwrap();
    assert!(steps.0.is_sorted() && steps.0.len() > 40, "{:?}", steps.0);
    assert_eq!((steps.0[0], steps.0.last()), (0, Some(&90)));
    let receipt = session.ask("What?", &mut Silent).unwrap().receipt;
    assert_eq!(counts(&receipt), (2, 88));
}

#[test]
fn a_threshold_is_a_mean_distance_from_the_last_encoded_frame() {
    let mut case = case("d32-gqa-tied", &[0]);
    let folder = tempfile::tempdir().unwrap();
    for (i, level) in [100u8, 101, 102, 103, 104, 200].into_iter().enumerate() {
        let image = image::RgbImage::from_pixel(32, 32, image::Rgb([level; 3]));
        image.save(folder.path().join(format!("{i}.png"))).unwrap();
    }
    case.source = VideoSource::Images(folder.path().into());
    case.settings.video.sample.budget = FrameBudget::Uniform { frames: 6 };
    let run = |dedupe: &str| case.ask(&case.settings(dedupe.parse().unwrap(), 4));
    let exact = run("exact");
    assert_eq!(counts(&exact.receipt), (6, 0));
    let near = run("2");
    assert_eq!(reused(&near.receipt), [false, true, true, false, true, false]);
    assert_eq!(near.receipt.dedupe.setting, Dedupe::Within(2.0));
    assert_ne!(near.generation.first_token_logprobs, exact.generation.first_token_logprobs);
    assert_eq!(counts(&run("0.99").receipt), (6, 0));
}
