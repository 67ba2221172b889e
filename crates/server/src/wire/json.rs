//! JSON bodies: counted before they are parsed, and without nulls.

use crate::echo::echo;
use crate::error::{ApiError, ApiResult};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Values of a body, far above any that is of use. A value takes some dozens of bytes in memory, however few it has as text.
const MOST_VALUES: usize = 1 << 18;

/// A body as JSON. A null says nothing, wherever it stands: clients that pass requests through tables send every part of
/// a message with the fields of all others, as nulls.
///
/// # Errors
/// What is not JSON, or has more values than any request of use.
pub(crate) fn parse(bytes: &[u8]) -> ApiResult<Value> {
    if count_values(bytes) > MOST_VALUES {
        return Err(ApiError::too_large(format!("the body has more than {MOST_VALUES} values")));
    }
    Ok(without_nulls(serde_json::from_slice(bytes).map_err(|e| refused(&e))?))
}

/// What a body without nulls says.
///
/// # Errors
/// Unknown fields, and values of a wrong kind.
pub(crate) fn read<T: DeserializeOwned>(body: Value) -> ApiResult<T> {
    serde_json::from_value(body).map_err(|e| refused(&e))
}

fn refused(error: &serde_json::Error) -> ApiError {
    ApiError::bad(format!("the body: {}", echo(&error.to_string()))).code("invalid_json")
}

/// At least as many as the text has: each comma, colon and bracket outside of strings begins one.
fn count_values(text: &[u8]) -> usize {
    let (mut values, mut in_string, mut escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b':' | b'[' | b'{' if !in_string => values += 1,
            _ => (),
        }
    }
    values
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Array(values) => {
            values.into_iter().filter(|value| !value.is_null()).map(without_nulls).collect()
        }
        Value::Object(fields) => {
            let said = fields.into_iter().filter(|(_, value)| !value.is_null());
            said.map(|(name, value)| (name, without_nulls(value))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_null_says_nothing_anywhere() {
        let body = br#"{"a": null, "b": [null, {"c": null, "d": 1}, []], "e": "null"}"#;
        assert_eq!(parse(body).unwrap(), json!({ "b": [{ "d": 1 }, []], "e": "null" }));
    }

    #[test]
    fn values_are_counted_before_they_take_memory() {
        let many = format!("[{}0]", "0,".repeat(MOST_VALUES));
        assert_eq!(parse(many.as_bytes()).unwrap_err().status(), 413);
        let string = format!("[\"{}\"]", r#"[\",{:"#.repeat(MOST_VALUES));
        assert!(parse(string.as_bytes()).is_ok(), "what a string says is no structure");
    }
}
