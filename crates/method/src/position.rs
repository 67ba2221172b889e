//! What stands at every position of the prompt: text, frames in time order, newlines, text.

use std::ops::Range;

use serde::Serialize;

use crate::PoolPlan;

/// What a run of positions holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// Text before, after or between the frames.
    Text,
    /// One frame with its own newlines.
    Frame {
        /// Number of the frame among the prompt's frames, from 0.
        ordinal: usize,
    },
    /// The newline after the last frame, which belongs to no frame.
    Newline,
}

/// A run of positions of one kind; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// What it holds.
    pub kind: SegmentKind,
    /// Its first position.
    pub start: usize,
    /// Positions it takes.
    pub tokens: usize,
}

impl Segment {
    /// Its positions.
    pub fn span(&self) -> Range<usize> {
        self.start..self.start + self.tokens
    }
}

/// The whole prompt as consecutive segments from position 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PositionPlan {
    /// In order, without gaps.
    pub segments: Vec<Segment>,
    /// Indices into `segments` of the frames.
    frame_segments: Vec<usize>,
    visual_prefix_tokens: usize,
    total_tokens: usize,
}

impl PositionPlan {
    /// Text of `prefix_text_tokens`, the pooled video, text of `suffix_text_tokens`. No text, no segment.
    pub fn new(prefix_text_tokens: usize, pool: &PoolPlan, suffix_text_tokens: usize) -> PositionPlan {
        Self::interleaved(prefix_text_tokens, &[], pool, suffix_text_tokens)
    }

    /// The same with text of `between_text_tokens[k]` directly before frame `k`, where there is such an entry.
    pub fn interleaved(
        prefix_text_tokens: usize,
        between_text_tokens: &[usize],
        pool: &PoolPlan,
        suffix_text_tokens: usize,
    ) -> PositionPlan {
        let text = |tokens| (SegmentKind::Text, tokens);
        let visual = pool.frames.iter().enumerate().flat_map(|(ordinal, frame)| {
            let between = between_text_tokens.get(ordinal).copied().unwrap_or(0);
            [text(between), (SegmentKind::Frame { ordinal }, frame.tokens())]
        });
        let runs = std::iter::once(text(prefix_text_tokens))
            .chain(visual)
            .chain([(SegmentKind::Newline, pool.trailing_newline_tokens()), text(suffix_text_tokens)]);
        let mut plan = PositionPlan {
            segments: Vec::with_capacity(pool.frames.len() + 3),
            frame_segments: Vec::with_capacity(pool.frames.len()),
            visual_prefix_tokens: 0,
            total_tokens: 0,
        };
        for (kind, tokens) in runs.filter(|(_, tokens)| *tokens > 0) {
            if matches!(kind, SegmentKind::Frame { .. }) {
                plan.frame_segments.push(plan.segments.len());
            }
            plan.segments.push(Segment { kind, start: plan.total_tokens, tokens });
            plan.total_tokens += tokens;
        }
        plan.visual_prefix_tokens = plan.total_tokens - suffix_text_tokens;
        plan
    }

    /// Positions of the whole prompt.
    pub fn total_tokens(&self) -> usize {
        self.total_tokens
    }

    /// Positions before the question: the text before the video, and the video with its newlines and the text between
    /// its frames.
    pub fn visual_prefix_tokens(&self) -> usize {
        self.visual_prefix_tokens
    }

    /// The positions of frame `ordinal`, its own newlines included; empty, at the end of the visual prefix,
    /// where there is no such frame.
    pub fn frame_span(&self, ordinal: usize) -> Range<usize> {
        let segment = self.frame_segments.get(ordinal).and_then(|index| self.segments.get(*index));
        segment.map_or(self.visual_prefix_tokens..self.visual_prefix_tokens, Segment::span)
    }

    /// The segment that holds `position`; none past the end.
    pub fn locate(&self, position: usize) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.start <= position);
        self.segments[..after].last().filter(|segment| segment.span().contains(&position))
    }
}
