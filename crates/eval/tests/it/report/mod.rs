//! The report: tables, page, pictures, measurements.

mod fixtures;
mod measure;
mod page;
mod sweep;
mod table;
