//! Plans keep what the settings promise.

use crate::tiny;
use longsight_world::{
    Footage, FrameRate, FrameSize, QuestionKind, Range, Stage, VideoScript, WorldSettings,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn any_settings() -> impl Strategy<Value = WorldSettings> {
    let rates = prop_oneof!["5", "10", "24", "30000/1001"];
    (rates, any::<bool>(), 64u32..200, 64u32..200, 0u32..=6, 5.0..200.0f64, 0.0..1.0f64).prop_map(
        |(rate, two, width, height, cards, secs, gap_secs)| WorldSettings {
            frame_rates: vec![rate.parse().unwrap()],
            stage: if two { Stage::Two } else { Stage::One },
            sizes: vec![FrameSize::new(width * 2, height * 2).unwrap()],
            cards: Range::new(cards / 2, cards + 4),
            duration_secs: Range::new(secs, secs * 1.5),
            gap_secs,
            card_secs: Range::new(0.2, 3.0),
            ..tiny()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn cards_are_apart_inside_and_unique(settings in any_settings(), seed in any::<u64>()) {
        prop_assume!(settings.check().is_ok());
        let script = VideoScript::new(seed, &settings).unwrap();
        let rate = script.frame_rate;
        prop_assert!((script.duration_secs - rate.time_secs(script.frames)).abs() < 1e-9);
        let count = script.cards.len() as u32;
        prop_assert!((settings.cards.min..=settings.cards.max).contains(&count), "{count} cards");

        let gap = rate.frames_in(settings.gap_secs);
        let mut free_from = 0;
        for card in &script.cards {
            prop_assert!(card.first_frame >= free_from + gap, "pause before {card:?}");
            prop_assert!(card.first_frame <= card.last_frame);
            free_from = card.last_frame + 1;
            let shown_secs = card.to_secs - card.from_secs;
            let least = settings.card_secs.min.max(settings.card_min_share * script.duration_secs);
            prop_assert!(shown_secs > least - 1.0 / rate.fps(), "{shown_secs} s of {least}");
            prop_assert!(card.tilt_degrees.abs() <= settings.tilt_degrees);
            prop_assert!(settings.stage.numbers().contains(&card.card.number));
            prop_assert!(card.card.shape_colour.readable_on(card.card.plate));
            // The tilted plate's corners lie in the frame.
            let (sin, cos) = card.tilt_degrees.to_radians().sin_cos();
            for (right, down) in [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)] {
                let (x, y) = (right * card.size[0], down * card.size[1]);
                let at = [card.centre[0] + x * cos - y * sin, card.centre[1] + x * sin + y * cos];
                prop_assert!((0.0..=f64::from(script.width)).contains(&at[0]), "{at:?} in {card:?}");
                prop_assert!((0.0..=f64::from(script.height)).contains(&at[1]), "{at:?} in {card:?}");
            }
        }
        let end = if count > 0 { free_from + gap } else { 0 };
        prop_assert!(end <= script.frames);
        let numbers: BTreeSet<_> = script.cards.iter().map(|card| card.card.number).collect();
        let shapes: BTreeSet<_> = script.cards.iter().map(|card| (card.card.shape, card.card.shape_colour)).collect();
        prop_assert_eq!((numbers.len(), shapes.len()), (script.cards.len(), script.cards.len()));
    }

    #[test]
    fn segments_cover_the_video_without_holes(settings in any_settings(), seed in any::<u64>()) {
        prop_assume!(settings.check().is_ok());
        let script = VideoScript::new(seed, &settings).unwrap();
        let mut next = 0;
        for segment in &script.segments {
            prop_assert_eq!(segment.first_frame, next);
            next = segment.last_frame + 1;
        }
        prop_assert_eq!(next, script.frames);
        prop_assert!(script.segments.windows(2).all(|pair| pair[0].footage != pair[1].footage), "a cut is seen");
    }
}

#[test]
fn videos_differ_in_size_and_frame_rate() {
    let settings = WorldSettings {
        sizes: ["160x90", "128x128", "90x160"].map(|size| size.parse().unwrap()).to_vec(),
        frame_rates: ["5", "24", "30000/1001"].map(|rate| rate.parse().unwrap()).to_vec(),
        ..tiny()
    };
    let forms: BTreeSet<_> = (0..60)
        .map(|seed| VideoScript::new(seed, &settings).unwrap())
        .map(|script| (script.width, script.height, script.frame_rate.to_string()))
        .collect();
    assert_eq!(forms.len(), 9, "{forms:?}");
}

#[test]
fn two_hours_are_planned_with_cards_that_few_frames_meet() {
    let settings = WorldSettings { duration_secs: Range::new(7200.0, 7200.0), ..WorldSettings::default() };
    let script = VideoScript::new(1, &settings).unwrap();
    assert_eq!((script.frames, script.duration_secs), (72_000, 7200.0));
    for card in &script.cards {
        let met = (0..64).filter(|sample| card.shows_in(sample * (script.frames - 1) / 63)).count();
        assert!(met >= 1, "64 frames miss {card:?}");
    }
}

#[test]
fn names_are_read_back_and_unknown_ones_are_refused_with_the_list() {
    for &kind in QuestionKind::ALL {
        assert_eq!(kind.to_string().parse::<QuestionKind>().unwrap(), kind);
    }
    let message = "film".parse::<Footage>().unwrap_err().to_string();
    assert!(
        message.contains("\"film\"") && message.contains("mandelbrot") && !message.contains('\n'),
        "{message}"
    );
    assert_eq!("30000/1001".parse::<FrameRate>().unwrap().to_string(), "30000/1001");
    for wrong in
        ["161x90", "160x91", "90001x90", "160x0", "0x0", "160", "160x", "x90", "axb", "-160x90", "160x90x3"]
    {
        let message = wrong.parse::<FrameSize>().unwrap_err().to_string();
        assert!(message.contains(wrong) && !message.contains('\n'), "{message}");
    }
    assert_eq!("320x180".parse::<FrameSize>().unwrap(), FrameSize::default());
    for wrong in ["0", "1/0", "", "29.97", "-5", "1000", "1/2/3"] {
        let message = wrong.parse::<FrameRate>().unwrap_err().to_string();
        assert!(message.contains(&format!("{wrong:?}")), "{message}");
    }
}
