use serde_json::Value;

/// What an entry is computed from. Two keys are the same where kind and description are.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    kind: &'static str,
    description: Value,
    name: String,
}

impl Key {
    /// `kind` is a short word of letters, the first part of the entry's name. `description` holds everything that the
    /// payload depends on; the order of an object's fields does not matter.
    pub fn new(kind: &'static str, description: Value) -> Self {
        // serde_json keeps objects sorted by field, so equal descriptions have equal text.
        let digest = blake3::hash(format!("{kind}\n{description}").as_bytes()).to_hex();
        Self { kind, description, name: format!("{kind}-{}", &digest[..NAME_DIGITS]) }
    }

    /// The entry's kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// What it is computed from.
    pub fn description(&self) -> &Value {
        &self.description
    }

    /// The entry's name: kind and digest.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Hexadecimal digits of the digest in a name: 128 bits. The whole description is compared as well.
const NAME_DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_follow_kind_and_description_but_not_the_order_of_fields() {
        let name = |kind, text: &str| Key::new(kind, serde_json::from_str(text).unwrap()).name().to_owned();
        assert_eq!(name("kv", r#"{"a":1,"b":[2,3]}"#), name("kv", r#"{"b":[2,3],"a":1}"#));
        assert_ne!(name("kv", r#"{"a":1}"#), name("kv", r#"{"a":2}"#));
        assert_ne!(name("kv", r#"{"a":1}"#), name("embeddings", r#"{"a":1}"#));
        let key = Key::new("kv", json!({"a": 1}));
        assert!(key.name().starts_with("kv-") && key.name().len() == 3 + NAME_DIGITS);
    }
}
