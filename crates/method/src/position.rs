//! What stands at every position of the prompt: text, frames in time order, newlines, text.

use std::ops::Range;

use serde::Serialize;

use crate::PoolPlan;

/// What a run of positions holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// Text before or after the video.
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
    /// Index into `segments` of frame 0.
    first_frame: usize,
    visual_prefix_tokens: usize,
    total_tokens: usize,
}

impl PositionPlan {
    /// Text of `prefix_text_tokens`, the pooled video, text of `suffix_text_tokens`. No text, no segment.
    pub fn new(prefix_text_tokens: usize, pool: &PoolPlan, suffix_text_tokens: usize) -> PositionPlan {
        let text = |tokens| (SegmentKind::Text, tokens);
        let frames = pool.frames.iter().enumerate();
        let visual = frames.map(|(ordinal, frame)| (SegmentKind::Frame { ordinal }, frame.tokens()));
        let runs = std::iter::once(text(prefix_text_tokens))
            .chain(visual)
            .chain([(SegmentKind::Newline, pool.trailing_newline_tokens()), text(suffix_text_tokens)]);
        let mut segments = Vec::with_capacity(pool.frames.len() + 3);
        let mut start = 0;
        for (kind, tokens) in runs.filter(|(_, tokens)| *tokens > 0) {
            segments.push(Segment { kind, start, tokens });
            start += tokens;
        }
        PositionPlan {
            segments,
            first_frame: usize::from(prefix_text_tokens > 0),
            visual_prefix_tokens: prefix_text_tokens + pool.total_tokens(),
            total_tokens: start,
        }
    }

    /// Positions of the whole prompt.
    pub fn total_tokens(&self) -> usize {
        self.total_tokens
    }

    /// Positions before the question: the text before the video, and the video with its newlines.
    pub fn visual_prefix_tokens(&self) -> usize {
        self.visual_prefix_tokens
    }

    /// The positions of frame `ordinal`, its own newlines included; empty, at the end of the visual prefix,
    /// where there is no such frame.
    pub fn frame_span(&self, ordinal: usize) -> Range<usize> {
        let segment = self.segments.get(self.first_frame.saturating_add(ordinal));
        match segment {
            Some(segment) if segment.kind == (SegmentKind::Frame { ordinal }) => segment.span(),
            _ => self.visual_prefix_tokens..self.visual_prefix_tokens,
        }
    }

    /// The segment that holds `position`; none past the end.
    pub fn locate(&self, position: usize) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.start <= position);
        self.segments[..after].last().filter(|segment| segment.span().contains(&position))
    }
}
