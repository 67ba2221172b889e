//! The chunks of a prefill.

use std::ops::Range;

/// Cuts positions `0..total_tokens` into chunks of `chunk_tokens`, with one boundary exactly at the end of the
/// visual prefix and multiples counted anew from there.
///
/// The prefix's chunks depend on the prefix alone, so every question about one video computes its visual
/// keys and values by the same operations in the same order, and shares them bit for bit. A `chunk_tokens` of 0
/// sets no limit: one chunk for the prefix, one for the rest. A prefix past the end is cut to it.
pub fn chunk_plan(
    visual_prefix_tokens: usize,
    total_tokens: usize,
    chunk_tokens: usize,
) -> Vec<Range<usize>> {
    let chunk_tokens = if chunk_tokens == 0 { usize::MAX } else { chunk_tokens };
    let prefix_end = visual_prefix_tokens.min(total_tokens);
    [0..prefix_end, prefix_end..total_tokens]
        .into_iter()
        .flat_map(|part| {
            let end = part.end;
            part.step_by(chunk_tokens).map(move |start| start..start.saturating_add(chunk_tokens).min(end))
        })
        .collect()
}
