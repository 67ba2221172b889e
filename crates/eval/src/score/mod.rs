//! Rows to numbers: breakdowns, averages, errors, paired tests.

mod breakdowns;
mod compare;
mod judge;
mod results;
mod scorer;
mod sums;

pub use compare::{Comparison, compare};
pub use judge::score_record;
pub use results::{Breakdown, Counts, Listed, Results, Row, Unit};
pub use scorer::Scorer;

/// Standard errors on either side of a mean that hold 95% of a normal distribution.
const Z95: f64 = 1.96;

/// The 95% interval of a value, cut to the range of its unit. None where all rows agree (all right, all wrong): the normal
/// approximation would then claim certainty.
fn interval(value: f64, stderr: f64, (least, most): (f64, f64)) -> Option<(f64, f64)> {
    (stderr > 0.0).then(|| ((value - Z95 * stderr).max(least), (value + Z95 * stderr).min(most)))
}
