//! Tables, pictures and files that show a run's results. All of it is pure: data in, text or bytes out, the same for the
//! same data; [`write_atomically`] puts them into files.

mod answer;
mod chart;
mod comparison;
mod file;
mod format;
mod grid;
pub mod heatmap;
mod html;
mod measure;
mod quantiles;
mod svg;
mod sweep;
mod terminal;
mod view;
mod work;

pub use answer::{AnswerReport, AnsweredQuestion, answer_html};
pub use chart::{LineChart, Point, Quantity, Series, line_chart, line_chart_file};
pub use comparison::comparison_text;
pub(crate) use file::remove_unfinished;
pub use file::write_atomically;
pub use heatmap::Heatmap;
pub use html::{ReportInput, RunSummary, html};
pub use measure::{Group, Measurements, Meter, Range};
pub use quantiles::{Histogram, Quantiles};
pub use sweep::{SweepRow, SweepTables, sweep_tables};
pub use terminal::table;
pub(crate) use work::wilson;
