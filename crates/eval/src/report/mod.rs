//! Tables, pictures and files that show a run's results. All of it is pure: data in, text out, the same for the same data.

mod comparison;
mod format;
mod html;
mod measure;
mod quantiles;
mod sweep;
mod terminal;
mod view;
mod work;

pub use comparison::comparison_text;
pub use html::{ReportInput, RunSummary, html};
pub use measure::{Group, Measurements, Meter, Range};
pub use quantiles::{Histogram, Quantiles};
pub use sweep::{SweepRow, SweepTables, sweep_tables};
pub use terminal::table;
pub(crate) use work::wilson;
