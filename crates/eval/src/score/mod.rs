//! Rows to numbers: breakdowns, averages, errors, paired tests.

mod results;

pub use results::{Breakdown, Counts, Listed, Results, Row, Unit};
