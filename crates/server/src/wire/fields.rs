//! Fields of OpenAI's chat completions that change nothing here: the values that ask for what happens anyway are taken, all
//! others are refused by name. Clients send many of these fields unasked.

use crate::error::{ApiError, ApiResult};
use serde_json::{Map, Value};

/// Which values of a field ask for what happens anyway.
#[derive(Debug, Clone, Copy)]
pub(super) enum Neutral {
    /// Every one: a label for bookkeeping, or a hint about speed.
    All,
    /// None but null.
    None,
    /// An empty list, object or text.
    Empty,
    /// True and false.
    Either,
    /// True, or false.
    Flag(bool),
    /// This number.
    Number(f64),
    /// Any of these words.
    Words(&'static [&'static str]),
    /// A list of this word.
    ListOf(&'static str),
    /// An object whose only field is `type`, with this word.
    Type(&'static str),
}

/// Of a request.
pub(super) const OF_REQUESTS: &[(&str, Neutral)] = &[
    ("audio", Neutral::None),
    ("frequency_penalty", Neutral::Number(0.0)),
    ("function_call", Neutral::Words(&["none", "auto"])),
    ("functions", Neutral::Empty),
    ("logit_bias", Neutral::Empty),
    ("logprobs", Neutral::Flag(false)),
    ("metadata", Neutral::All),
    ("modalities", Neutral::ListOf("text")),
    ("n", Neutral::Number(1.0)),
    ("parallel_tool_calls", Neutral::Either),
    ("prediction", Neutral::All),
    ("presence_penalty", Neutral::Number(0.0)),
    ("prompt_cache_key", Neutral::All),
    ("prompt_cache_retention", Neutral::All),
    ("reasoning_effort", Neutral::Words(&["none"])),
    ("response_format", Neutral::Type("text")),
    ("safety_identifier", Neutral::All),
    ("service_tier", Neutral::Words(&["auto", "default"])),
    ("stop", Neutral::Empty),
    ("store", Neutral::Flag(false)),
    ("tool_choice", Neutral::Words(&["none", "auto"])),
    ("tools", Neutral::Empty),
    ("top_logprobs", Neutral::Number(0.0)),
    ("user", Neutral::All),
    ("verbosity", Neutral::Words(&["medium"])),
    ("web_search_options", Neutral::None),
    // vLLM's own.
    ("ignore_eos", Neutral::Flag(false)),
    ("min_p", Neutral::Number(0.0)),
    ("min_tokens", Neutral::Number(0.0)),
    ("priority", Neutral::Number(0.0)),
    ("repetition_penalty", Neutral::Number(1.0)),
    ("skip_special_tokens", Neutral::Flag(true)),
    ("stop_token_ids", Neutral::Empty),
    ("top_k", Neutral::Number(-1.0)),
];

/// Of a message: what clients send back of an answer, besides its role and content.
pub(super) const OF_MESSAGES: &[(&str, Neutral)] = &[
    ("annotations", Neutral::Empty),
    ("audio", Neutral::None),
    ("function_call", Neutral::None),
    ("name", Neutral::All),
    ("reasoning", Neutral::Empty),
    ("reasoning_content", Neutral::Empty),
    ("refusal", Neutral::Empty),
    ("tool_calls", Neutral::Empty),
];

/// Of a part of a message, and of the address in it.
pub(super) const OF_PARTS: &[(&str, Neutral)] = &[
    ("annotations", Neutral::Empty),
    ("uuid", Neutral::All), // vLLM's name for a cache of its own
];

impl Neutral {
    fn allows(self, value: &Value) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Empty => match value {
                Value::Array(list) => list.is_empty(),
                Value::Object(fields) => fields.is_empty(),
                Value::String(text) => text.is_empty(),
                _ => false,
            },
            Self::Either => value.is_boolean(),
            Self::Flag(flag) => value.as_bool() == Some(flag),
            Self::Number(number) => value.as_f64() == Some(number),
            Self::Words(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::ListOf(word) => value.as_array().is_some_and(|list| list.iter().all(|one| one == word)),
            Self::Type(word) => {
                value.as_object().is_some_and(|fields| fields.len() == 1 && fields.contains_key("type"))
                    && value["type"] == word
            }
        }
    }
}

/// Takes the fields of `table` out of `fields`.
///
/// # Errors
/// The first whose value asks for something; `place` is what stands before its name.
pub(super) fn take_neutral(
    fields: &mut Map<String, Value>,
    table: &[(&str, Neutral)],
    place: &str,
) -> ApiResult<()> {
    for (name, neutral) in table {
        if fields.remove(*name).is_some_and(|value| !neutral.allows(&value)) {
            let field = format!("{place}{name}");
            return Err(ApiError::bad(format!("`{field}` is not supported here; leave it out"))
                .param(field)
                .code("unsupported"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn takes(table: &[(&str, Neutral)], name: &str, value: Value) -> bool {
        let mut fields = Map::from_iter([(name.to_owned(), value)]);
        let taken = take_neutral(&mut fields, table, "");
        assert!(fields.is_empty(), "{name} is in the table");
        if let Err(error) = &taken {
            let error = &error.to_json()["error"];
            assert_eq!((&error["param"], &error["code"]), (&json!(name), &json!("unsupported")));
            assert!(error["message"].as_str().unwrap().contains(&format!("`{name}` is not supported")));
        }
        taken.is_ok()
    }

    #[test]
    fn neutral_values_of_openais_fields_are_taken_and_others_refused_by_name() {
        for (name, neutral, other) in [
            ("n", json!(1), json!(2)),
            ("n", json!(1.0), json!("1")),
            ("stop", json!([]), json!(["."])),
            ("stop", json!(""), json!("end")),
            ("tools", json!([]), json!([{ "type": "function" }])),
            ("functions", json!([]), json!([{ "name": "f" }])),
            ("tool_choice", json!("none"), json!("required")),
            ("tool_choice", json!("auto"), json!({ "type": "function" })),
            ("function_call", json!("auto"), json!({ "name": "f" })),
            ("parallel_tool_calls", json!(false), json!("no")),
            ("parallel_tool_calls", json!(true), json!(1)),
            ("logit_bias", json!({}), json!({ "50256": -100 })),
            ("logprobs", json!(false), json!(true)),
            ("top_logprobs", json!(0), json!(5)),
            ("presence_penalty", json!(0), json!(0.5)),
            ("frequency_penalty", json!(0.0), json!(-1)),
            ("response_format", json!({ "type": "text" }), json!({ "type": "json_object" })),
            ("response_format", json!({ "type": "text" }), json!({ "type": "text", "json_schema": {} })),
            ("modalities", json!(["text"]), json!(["text", "audio"])),
            ("service_tier", json!("auto"), json!("flex")),
            ("reasoning_effort", json!("none"), json!("high")),
            ("verbosity", json!("medium"), json!("low")),
            ("store", json!(false), json!(true)),
            ("top_k", json!(-1), json!(40)),
            ("repetition_penalty", json!(1), json!(1.1)),
            ("skip_special_tokens", json!(true), json!(false)),
        ] {
            assert!(takes(OF_REQUESTS, name, neutral.clone()), "{name}: {neutral}");
            assert!(!takes(OF_REQUESTS, name, other.clone()), "{name}: {other}");
        }
        for (name, label) in [
            ("user", json!("u-1")),
            ("safety_identifier", json!("u-1")),
            ("prompt_cache_key", json!("k")),
            ("metadata", json!({ "run": "7" })),
            ("prediction", json!({ "type": "content", "content": "A cat." })),
        ] {
            assert!(takes(OF_REQUESTS, name, label), "{name} changes no answer");
        }
        for name in ["audio", "web_search_options"] {
            assert!(!takes(OF_REQUESTS, name, json!({})), "{name}");
        }
        assert!(takes(OF_MESSAGES, "tool_calls", json!([])) && takes(OF_MESSAGES, "refusal", json!("")));
        assert!(!takes(OF_MESSAGES, "tool_calls", json!([{ "id": "1" }])));
        assert!(!takes(OF_MESSAGES, "refusal", json!("I cannot say.")));
    }
}
