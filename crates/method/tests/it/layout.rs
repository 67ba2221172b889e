//! Positions and chunks.

use longsight_method::{
    Grid, NewlineMode, PoolMode, PoolPlan, PoolSpec, PromptLayout, SegmentKind, chunk_plan,
};
use proptest::prelude::*;

use crate::onevision;

#[test]
fn the_prompt_of_llava_onevision() {
    let plan = PromptLayout::new(14, &onevision(3, "4,2,8"), 20);
    assert_eq!((plan.total_tokens(), plan.visual_prefix_tokens()), (14 + 228 + 1 + 20, 14 + 228 + 1));
    assert_eq!([0, 1, 2].map(|k| plan.unit_span(k)), [14..210, 210..226, 226..242]);
    let kinds: Vec<SegmentKind> = plan.segments.iter().map(|segment| segment.kind).collect();
    let frame = |ordinal| SegmentKind::Unit { ordinal };
    assert_eq!(
        kinds,
        [SegmentKind::Text, frame(0), frame(1), frame(2), SegmentKind::Newline, SegmentKind::Text]
    );
    let at = |position| plan.locate(position).map(|segment| segment.kind);
    assert_eq!(
        [at(13), at(14), at(209), at(210)],
        [Some(SegmentKind::Text), Some(frame(0)), Some(frame(0)), Some(frame(1))]
    );
    assert_eq!(
        [at(242), at(243), at(262), at(263)],
        [Some(SegmentKind::Newline), Some(SegmentKind::Text), Some(SegmentKind::Text), None]
    );
    assert_eq!(at(usize::MAX), None);
}

#[test]
fn a_frame_of_llava_video_holds_its_row_newlines() {
    let pool = PoolPlan::new(
        Grid::square(27),
        2,
        PoolSpec::Uniform { stride: 2 },
        PoolMode::Bilinear,
        NewlineMode::Grid,
    )
    .unwrap();
    let plan = PromptLayout::new(0, &pool, 5);
    assert_eq!([plan.unit_span(0), plan.unit_span(1)], [0..210, 210..420]);
    assert_eq!((plan.visual_prefix_tokens(), plan.total_tokens()), (420, 425));
}

#[test]
fn text_between_frames_belongs_to_the_prefix() {
    let plan = PromptLayout::interleaved(10, &[0, 7, 0], &onevision(3, "uniform,8"), 5);
    assert_eq!([0, 1, 2].map(|k| plan.unit_span(k)), [10..26, 33..49, 49..65]);
    assert_eq!(plan.locate(26).map(|segment| segment.kind), Some(SegmentKind::Text));
    assert_eq!((plan.visual_prefix_tokens(), plan.total_tokens()), (66, 71));
}

#[test]
fn a_frame_that_is_not_there_has_no_positions() {
    let plan = PromptLayout::new(0, &onevision(2, "4,2,8"), 0);
    for ordinal in [2, 3, usize::MAX] {
        assert!(plan.unit_span(ordinal).is_empty());
    }
}

#[test]
fn chunks_break_at_the_end_of_the_prefix() {
    assert_eq!(chunk_plan(10, 17, 4), [0..4, 4..8, 8..10, 10..14, 14..17]);
    assert_eq!(chunk_plan(8, 8, 4), [0..4, 4..8]);
    assert_eq!(chunk_plan(0, 5, 4), [0..4, 4..5]);
    assert_eq!(chunk_plan(10, 12, 0), [0..10, 10..12]);
    assert_eq!(chunk_plan(9, 5, 4), [0..4, 4..5]);
    assert!(chunk_plan(0, 0, 4).is_empty());
    assert_eq!(
        chunk_plan(usize::MAX - 1, usize::MAX, usize::MAX - 2).last(),
        Some(&(usize::MAX - 1..usize::MAX))
    );
}

proptest! {
    #[test]
    fn segments_tile_the_prompt(
        prefix in 0usize..40, suffix in 0usize..40, frames in 1usize..40, group in 1usize..6,
        newline in prop::sample::select(NewlineMode::ALL),
    ) {
        let spec = PoolSpec::Progressive { group, fine_stride: 2, coarse_stride: 8 };
        let pool = PoolPlan::new(Grid::square(27), frames, spec, PoolMode::Bilinear, newline).unwrap();
        let plan = PromptLayout::new(prefix, &pool, suffix);
        let mut next = 0;
        for segment in &plan.segments {
            prop_assert_eq!(segment.start, next);
            prop_assert!(segment.tokens > 0);
            prop_assert_eq!(plan.locate(segment.start), Some(segment));
            prop_assert_eq!(plan.locate(segment.span().end - 1), Some(segment));
            next = segment.span().end;
        }
        prop_assert_eq!(next, plan.total_tokens());
        prop_assert_eq!(plan.total_tokens(), prefix + pool.total_tokens() + suffix);
        prop_assert_eq!(plan.visual_prefix_tokens() + suffix, plan.total_tokens());
        for (ordinal, frame) in pool.units.iter().enumerate() {
            let span = plan.unit_span(ordinal);
            prop_assert_eq!(span.len(), frame.tokens());
            prop_assert_eq!(plan.locate(span.start).unwrap().kind, SegmentKind::Unit { ordinal });
        }
    }

    #[test]
    fn chunks_cover_all_in_order_and_the_prefix_alone_decides_its_own(
        prefix in 0usize..5_000, text in 0usize..700, other_text in 0usize..700, chunk in 1usize..1_200,
    ) {
        let chunks = chunk_plan(prefix, prefix + text, chunk);
        let mut next = 0;
        for range in &chunks {
            prop_assert_eq!(range.start, next);
            prop_assert!((1..=chunk).contains(&range.len()));
            next = range.end;
        }
        prop_assert_eq!(next, prefix + text);
        let of_prefix = |chunks: &[std::ops::Range<usize>]| -> Vec<_> {
            chunks.iter().filter(|range| range.start < prefix).cloned().collect()
        };
        let others = chunk_plan(prefix, prefix + other_text, chunk);
        prop_assert_eq!(of_prefix(&chunks), of_prefix(&others));
        prop_assert_eq!(of_prefix(&chunks).last().map_or(0, |range| range.end), prefix);
    }
}
