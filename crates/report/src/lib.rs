//! Pages, tables, charts and pictures. All of it is pure, the same for the same data, and knows no benchmark;
//! [`write_atomically`] puts it into files.

pub mod chart;
pub mod format;
pub mod grid;
pub mod heatmap;
pub mod page;

mod answer;
mod error;
mod file;
mod svg;

pub use answer::{AnswerReport, AnsweredQuestion, answer_html};
pub use error::{ReportError, Result};
pub use file::{remove_unfinished, write_atomically};
