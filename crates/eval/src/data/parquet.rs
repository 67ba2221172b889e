//! Rows of a parquet file, streamed: one page of each wanted column at a time.

use super::rows::{Row, Rows, file_error, row_error};
use crate::Result;
use parquet::basic::Repetition;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row as ParquetRow};
use parquet::schema::types::Type;
use serde_json::{Map, Value};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// Rows of the file, with the columns of `keys` that hold scalars or lists.
pub(crate) fn rows(path: &Path, keys: &[&str]) -> Result<Rows> {
    let file = File::open(path).map_err(|error| file_error(path, format!("cannot be read: {error}")))?;
    let fault = |error: ParquetError| file_error(path, explain(&error));
    let mut rows = guarded(|| open(file, keys)).map_err(fault)?;
    let Some(mut rows) = rows.take() else {
        return Err(file_error(path, format!("has none of the columns {}", keys.join(", "))));
    };
    let path: Arc<Path> = path.into();
    let (mut number, mut failed) = (0, false);
    Ok(Box::new(std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let row = guarded(|| rows.next().transpose()).transpose()?;
        failed = row.is_err();
        number += 1;
        Some(match row {
            Ok(row) => Ok(Row { path: path.clone(), number: number - 1, fields: fields(row) }),
            Err(error) => Err(row_error(&path, number - 1, explain(&error))),
        })
    })))
}

/// Rows with the wanted columns; None where the file has none of them.
fn open(file: File, keys: &[&str]) -> Result<Option<RowIter<'static>>, ParquetError> {
    let length_bytes = file.metadata()?.len();
    let reader = SerializedFileReader::new(file)?;
    check_extents(reader.metadata(), length_bytes)?;
    let wanted = projection(reader.metadata().file_metadata().schema(), keys)?;
    if wanted.get_fields().is_empty() {
        return Ok(None);
    }
    RowIter::from_file_into(Box::new(reader)).project(Some(wanted)).map(Some)
}

/// Every column inside the file: the crate panics where a damaged footer says otherwise.
fn check_extents(metadata: &ParquetMetaData, length_bytes: u64) -> Result<(), ParquetError> {
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
        let end = start.checked_add(column.compressed_size()).and_then(|end| u64::try_from(end).ok());
        if start < 0 || column.compressed_size() < 0 || end.is_none_or(|end| end > length_bytes) {
            return Err(ParquetError::General("the footer names data outside the file".into()));
        }
    }
    Ok(())
}

/// The last defence against damaged files: what panics inside the crate becomes an error.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(ParquetError::General("its data contradict each other".into())))
}

/// The schema without the columns that nobody asked for, among them embedded videos: these are groups of bytes and path.
fn projection(schema: &Type, keys: &[&str]) -> Result<Type, ParquetError> {
    let wanted = schema.get_fields().iter().filter(|field| keys.contains(&field.name()) && is_plain(field));
    Type::group_type_builder(schema.name()).with_fields(wanted.cloned().collect()).build()
}

/// A scalar or a list of scalars.
fn is_plain(field: &Type) -> bool {
    let is_repeated = |field: &Type| {
        field.get_basic_info().has_repetition() && field.get_basic_info().repetition() == Repetition::REPEATED
    };
    match field {
        Type::PrimitiveType { .. } => true,
        Type::GroupType { fields, .. } => match fields.as_slice() {
            // The three levels of the format's LIST, and the two of older writers.
            [middle] if is_repeated(middle) => match middle.as_ref() {
                Type::PrimitiveType { .. } => true,
                Type::GroupType { fields, .. } => fields.len() == 1 && fields[0].is_primitive(),
            },
            _ => false,
        },
    }
}

fn fields(row: ParquetRow) -> Map<String, Value> {
    row.into_columns().into_iter().map(|(name, field)| (name, value(&field))).collect()
}

fn value(field: &Field) -> Value {
    match field {
        Field::Bool(value) => Value::from(*value),
        Field::Byte(value) => Value::from(*value),
        Field::Short(value) => Value::from(*value),
        Field::Int(value) => Value::from(*value),
        Field::Long(value) => Value::from(*value),
        Field::UByte(value) => Value::from(*value),
        Field::UShort(value) => Value::from(*value),
        Field::UInt(value) => Value::from(*value),
        Field::ULong(value) => Value::from(*value),
        Field::Float16(value) => Value::from(value.to_f32()),
        Field::Float(value) => Value::from(*value),
        Field::Double(value) => Value::from(*value),
        Field::Str(value) => Value::from(value.as_str()),
        // Strings of writers that leave the annotation out.
        Field::Bytes(value) => std::str::from_utf8(value.data()).map_or(Value::Null, Value::from),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        // Dates, times, decimals, maps, structures: no key of ours has them.
        _ => Value::Null,
    }
}

/// One line that says what to do.
fn explain(error: &ParquetError) -> String {
    let text = error.to_string().replace('\n', " ");
    if text.contains("Disabled feature") {
        format!("is compressed in a way that is not built in (snappy, gzip and none are): {text}")
    } else {
        format!("is not a whole parquet file (download it again): {text}")
    }
}
