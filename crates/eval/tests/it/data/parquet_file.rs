//! Writes parquet files with the column types that the benchmarks' files have.

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use std::path::Path;
use std::sync::Arc;

/// One column, with as many values as the file has rows.
pub enum Column<'a> {
    Texts(Vec<Option<&'a str>>),
    Lists(Vec<Vec<&'a str>>),
    Longs(Vec<i64>),
    Ints(Vec<i32>),
    Doubles(Vec<f64>),
    /// HF's embedded video: a group of bytes and path.
    Videos(Vec<Vec<u8>>),
}

/// Text columns without nulls.
pub fn texts<'a>(values: &[&'a str]) -> Column<'a> {
    Column::Texts(values.iter().map(|value| Some(*value)).collect())
}

impl Column<'_> {
    fn schema(&self, name: &str) -> String {
        match self {
            Self::Texts(_) => format!("optional binary {name} (STRING);"),
            Self::Lists(_) => {
                format!(
                    "optional group {name} (LIST) {{ repeated group list {{ optional binary element (STRING); }} }}"
                )
            }
            Self::Longs(_) => format!("required int64 {name};"),
            Self::Ints(_) => format!("required int32 {name} (INTEGER(8,true));"),
            Self::Doubles(_) => format!("required double {name};"),
            Self::Videos(_) => {
                format!("optional group {name} {{ optional binary bytes; optional binary path (STRING); }}")
            }
        }
    }

    fn write(&self, mut next: impl FnMut(&mut dyn FnMut(&mut SerializedColumnWriter<'_>))) {
        match self {
            Self::Texts(values) => {
                let present: Vec<ByteArray> = values.iter().flatten().map(|value| (*value).into()).collect();
                let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
                next(&mut |column| {
                    column.typed::<ByteArrayType>().write_batch(&present, Some(&levels), None).unwrap();
                });
            }
            Self::Lists(lists) => {
                let flat: Vec<ByteArray> = lists.iter().flatten().map(|value| (*value).into()).collect();
                let (mut defined, mut repeated) = (Vec::new(), Vec::new());
                for list in lists {
                    defined.extend(if list.is_empty() { vec![1] } else { vec![3_i16; list.len()] });
                    repeated.extend((0..list.len().max(1)).map(|at| i16::from(at > 0)));
                }
                next(&mut |column| {
                    column
                        .typed::<ByteArrayType>()
                        .write_batch(&flat, Some(&defined), Some(&repeated))
                        .unwrap();
                });
            }
            Self::Longs(values) => next(&mut |column| {
                column.typed::<Int64Type>().write_batch(values, None, None).unwrap();
            }),
            Self::Ints(values) => next(&mut |column| {
                column.typed::<Int32Type>().write_batch(values, None, None).unwrap();
            }),
            Self::Doubles(values) => next(&mut |column| {
                column.typed::<DoubleType>().write_batch(values, None, None).unwrap();
            }),
            Self::Videos(values) => {
                let bytes: Vec<ByteArray> = values.iter().map(|value| value.clone().into()).collect();
                let paths: Vec<ByteArray> = values.iter().map(|_| "clip.mp4".into()).collect();
                let levels = vec![2_i16; values.len()];
                for part in [bytes, paths] {
                    next(&mut |column| {
                        column.typed::<ByteArrayType>().write_batch(&part, Some(&levels), None).unwrap();
                    });
                }
            }
        }
    }
}

/// Writes one row group.
pub fn write(path: &Path, compression: Compression, columns: &[(&str, Column<'_>)]) {
    let fields: Vec<String> = columns.iter().map(|(name, column)| column.schema(name)).collect();
    let schema = parse_message_type(&format!("message schema {{ {} }}", fields.join(" "))).unwrap();
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (_, column) in columns {
        column.write(|fill| {
            let mut next = group.next_column().unwrap().unwrap();
            fill(&mut next);
            next.close().unwrap();
        });
    }
    group.close().unwrap();
    writer.close().unwrap();
}
