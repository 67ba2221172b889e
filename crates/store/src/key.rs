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

/// Whether a file's name is one that a store gives to entries. Whatever else lies in its folder is not its own: it is neither
/// listed, nor counted, nor removed.
pub(crate) fn is_entry_name(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(kind, digest)| {
        !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_lowercase()) && is_digest(digest)
    })
}

/// Whether a text is the digest of a name.
pub(crate) fn is_digest(text: &str) -> bool {
    text.len() == NAME_DIGITS
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Hexadecimal digits of the digest in a name: 128 bits. The whole description is compared as well.
const NAME_DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_other_files_are_no_entries() {
        assert!(is_entry_name(Key::new("kv", json!(1)).name()));
        for other in [
            "a.txt",
            "kv-",
            "kv-12",
            "-0123456789abcdef0123456789abcdef",
            "kv-0123456789ABCDEF0123456789abcdef",
            "../kv-0123456789abcdef0123456789abcdef",
            "kv-0123456789abcdef0123456789abcdef.bak",
        ] {
            assert!(!is_entry_name(other), "{other}");
        }
    }

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
