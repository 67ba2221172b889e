//! The report: tables, page, pictures, measurements.

mod fixtures;
mod heatmap;
mod measure;
mod page;
mod sweep;
mod table;
