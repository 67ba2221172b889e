//! What stands in every slot of the prompt: text, units in time order, newlines, text.

use std::ops::Range;

use serde::Serialize;

use crate::PoolPlan;

/// What a run of slots holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// Text before, after or between the units.
    Text,
    /// One unit with its own newlines.
    Unit {
        /// Number of the unit among the prompt's units, from 0.
        ordinal: usize,
    },
    /// The newline after the last unit, which belongs to no unit.
    Newline,
}

/// A run of slots of one kind; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// What it holds.
    pub kind: SegmentKind,
    /// Its first slot.
    pub start: usize,
    /// Slots it takes.
    pub tokens: usize,
}

impl Segment {
    /// Its slots.
    pub fn span(&self) -> Range<usize> {
        self.start..self.start + self.tokens
    }
}

/// The whole prompt as consecutive segments from slot 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PromptLayout {
    /// In order, without gaps.
    pub segments: Vec<Segment>,
    /// Indices into `segments` of the units.
    unit_segments: Vec<usize>,
    visual_prefix_tokens: usize,
    total_tokens: usize,
}

impl PromptLayout {
    /// Text of `prefix_text_tokens`, the pooled video, text of `suffix_text_tokens`. No text, no segment.
    pub fn new(prefix_text_tokens: usize, pool: &PoolPlan, suffix_text_tokens: usize) -> PromptLayout {
        Self::interleaved(prefix_text_tokens, &[], pool, suffix_text_tokens)
    }

    /// The same with text of `between_text_tokens[k]` directly before unit `k`, where there is such an entry.
    pub fn interleaved(
        prefix_text_tokens: usize,
        between_text_tokens: &[usize],
        pool: &PoolPlan,
        suffix_text_tokens: usize,
    ) -> PromptLayout {
        let text = |tokens| (SegmentKind::Text, tokens);
        let visual = pool.units.iter().enumerate().flat_map(|(ordinal, unit)| {
            let between = between_text_tokens.get(ordinal).copied().unwrap_or(0);
            [text(between), (SegmentKind::Unit { ordinal }, unit.tokens())]
        });
        let runs = std::iter::once(text(prefix_text_tokens))
            .chain(visual)
            .chain([(SegmentKind::Newline, pool.trailing_newline_tokens()), text(suffix_text_tokens)]);
        let mut plan = PromptLayout {
            segments: Vec::with_capacity(pool.units.len() + 3),
            unit_segments: Vec::with_capacity(pool.units.len()),
            visual_prefix_tokens: 0,
            total_tokens: 0,
        };
        for (kind, tokens) in runs.filter(|(_, tokens)| *tokens > 0) {
            if matches!(kind, SegmentKind::Unit { .. }) {
                plan.unit_segments.push(plan.segments.len());
            }
            plan.segments.push(Segment { kind, start: plan.total_tokens, tokens });
            plan.total_tokens += tokens;
        }
        plan.visual_prefix_tokens = plan.total_tokens - suffix_text_tokens;
        plan
    }

    /// Slots of the whole prompt.
    pub fn total_tokens(&self) -> usize {
        self.total_tokens
    }

    /// Slots before the question: the text before the video, and the video with its newlines and the text between its
    /// units.
    pub fn visual_prefix_tokens(&self) -> usize {
        self.visual_prefix_tokens
    }

    /// The slots of unit `ordinal`, its own newlines included; empty, at the end of the visual prefix,
    /// where there is no such unit.
    pub fn unit_span(&self, ordinal: usize) -> Range<usize> {
        let segment = self.unit_segments.get(ordinal).and_then(|index| self.segments.get(*index));
        segment.map_or(self.visual_prefix_tokens..self.visual_prefix_tokens, Segment::span)
    }

    /// The segment that holds `slot`; none past the end.
    pub fn locate(&self, slot: usize) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.start <= slot);
        self.segments[..after].last().filter(|segment| segment.span().contains(&slot))
    }
}
