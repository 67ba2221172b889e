//! Parquet files of a few columns.

use crate::{Result, WorldError, files};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// A column: its name and one value a row.
pub(super) enum Values {
    Text(Vec<String>),
    Int(Vec<i64>),
    Float(Vec<f64>),
    /// `list<string>`, as pandas and Hugging Face's datasets write it.
    TextList(Vec<Vec<String>>),
}

/// Writes columns of equal length as one row group: to a temporary name first, then renamed.
pub(super) fn write(path: &Path, columns: &[(&str, Values)]) -> Result<()> {
    if let Some(folder) = path.parent() {
        files::create_folder(folder)?;
    }
    let partial = files::partial_name(path);
    let file = File::create(&partial).map_err(|error| WorldError::file(&partial, error))?;
    write_to(file, columns).map_err(|error| WorldError::file(&partial, error))?;
    files::rename(&partial, path)
}

fn write_to(file: File, columns: &[(&str, Values)]) -> Result<(), ParquetError> {
    let fields: String = columns.iter().map(|(name, values)| values.field(name)).collect();
    let schema = Arc::new(parse_message_type(&format!("message schema {{ {fields} }}"))?);
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::default()))?;
    let mut rows = writer.next_row_group()?;
    for (_, values) in columns {
        values.write(&mut rows)?;
    }
    rows.close()?;
    writer.close()?;
    Ok(())
}

impl Values {
    /// Its line in a Parquet schema.
    fn field(&self, name: &str) -> String {
        match self {
            Self::Text(_) => format!("optional binary {name} (STRING); "),
            Self::Int(_) => format!("optional int64 {name}; "),
            Self::Float(_) => format!("optional double {name}; "),
            Self::TextList(_) => format!(
                "optional group {name} (LIST) {{ repeated group list {{ optional binary element (STRING); }} }} "
            ),
        }
    }

    fn write(&self, rows: &mut SerializedRowGroupWriter<'_, File>) -> Result<(), ParquetError> {
        match self {
            Self::Text(texts) => {
                write_flat::<ByteArrayType>(rows, &texts.iter().map(|text| bytes(text)).collect::<Vec<_>>())
            }
            Self::Int(values) => write_flat::<Int64Type>(rows, values),
            Self::Float(values) => write_flat::<DoubleType>(rows, values),
            Self::TextList(lists) => {
                let texts: Vec<ByteArray> = lists.iter().flatten().map(|text| bytes(text)).collect();
                // Definition 3: an element is there; 1: the list is there and empty. Repetition 0: a new row begins.
                let levels = lists.iter().flat_map(|list| {
                    let defined = if list.is_empty() { 1 } else { 3 };
                    (0..list.len().max(1)).map(move |place| (defined, i16::from(place > 0)))
                });
                let (defined, repeated): (Vec<i16>, Vec<i16>) = levels.unzip();
                write_column::<ByteArrayType>(rows, &texts, &defined, Some(&repeated))
            }
        }
    }
}

fn bytes(text: &str) -> ByteArray {
    ByteArray::from(text)
}

/// A column without nulls.
fn write_flat<T: DataType>(
    rows: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    write_column::<T>(rows, values, &vec![1; values.len()], None)
}

fn write_column<T: DataType>(
    rows: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    defined: &[i16],
    repeated: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("the schema has fewer columns than the table".into());
    let mut column = rows.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, Some(defined), repeated)?;
    column.close()
}
