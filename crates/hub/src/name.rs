//! What may become part of a path or an address: model names, revisions, commits, blob and file names.

use crate::HubError;

/// `org/name` at a revision, checked: no part can leave the cache folder.
#[derive(Clone, Debug)]
pub(crate) struct RepoName {
    /// `org/name`.
    pub(crate) id: String,
    /// Branch, tag or commit; may hold slashes (`refs/pr/1`).
    pub(crate) revision: String,
}

impl RepoName {
    /// Reads `org/name` or `org/name@revision`.
    pub(crate) fn parse(model: &str, default_revision: &str) -> Result<Self, HubError> {
        let (id, revision) = model.split_once('@').unwrap_or((model, default_revision));
        let valid_id = match id.split_once('/') {
            Some((org, name)) => is_repo_part(org) && is_repo_part(name) && id.len() <= 96,
            None => false,
        };
        if !valid_id || !is_revision(revision) {
            return Err(HubError::NotAModelName { model: model.to_owned() });
        }
        Ok(Self { id: id.to_owned(), revision: revision.to_owned() })
    }

    /// Folder name in the cache.
    pub(crate) fn folder(&self) -> String {
        format!("models--{}", self.id.replace('/', "--"))
    }
}

/// The hub's rule: letters, digits, `-`, `_`, `.`; no `--` (it stands for the slash in the cache) and no `..`.
fn is_repo_part(part: &str) -> bool {
    let edge = |c: char| c == '.' || c == '-';
    !part.is_empty()
        && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && !part.starts_with(edge)
        && !part.ends_with(edge)
        && !part.contains("--")
        && !part.contains("..")
}

fn is_revision(revision: &str) -> bool {
    revision.len() <= 200
        && revision.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
        })
}

/// A full git commit hash.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_lower_hex(text)
}

/// An LFS blob's name is the SHA-256 of its bytes.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && is_lower_hex(text)
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The blob name within an `ETag` header (`"abc"`, `W/"abc"`), if it can be a file name.
pub(crate) fn blob_name(etag: &str) -> Option<String> {
    let name = etag.trim().trim_start_matches("W/").trim_matches('"');
    let valid = !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && !name.ends_with(".incomplete");
    valid.then(|| name.to_owned())
}

/// Whether a file name that the server sent stays inside the folder that it is joined to, on every system.
pub(crate) fn is_safe_path(name: &str) -> bool {
    !name.contains(['\\', ':'])
        && !name.chars().any(char::is_control)
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Percent-encodes everything but the unreserved characters, so that `/` in a revision stays one path segment.
pub(crate) fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_names_are_split_and_checked() {
        let repo = RepoName::parse("llava-hf/LLaVA_1.5", "main").unwrap();
        assert_eq!((repo.id.as_str(), repo.revision.as_str()), ("llava-hf/LLaVA_1.5", "main"));
        assert_eq!(repo.folder(), "models--llava-hf--LLaVA_1.5");
        assert_eq!(RepoName::parse("a/b@refs/pr/3", "main").unwrap().revision, "refs/pr/3");
        for bad in [
            "",
            "a",
            "/",
            "a/",
            "/b",
            "a/b/c",
            "../b",
            "a/..",
            "a/b--c",
            "a/.b",
            "a b/c",
            "a/b\n",
            "a/b@",
            "a/b@../x",
            "a/b@/x",
            "a/b@x\\y",
            "a\\b",
            "http://h/a",
            "a/b@x//y",
            "a/é",
        ] {
            assert!(matches!(RepoName::parse(bad, "main"), Err(HubError::NotAModelName { .. })), "{bad:?}");
        }
    }

    #[test]
    fn blob_names_cannot_be_paths() {
        assert_eq!(blob_name("W/\"0a1b\"").as_deref(), Some("0a1b"));
        for bad in ["", "\"\"", "../x", "a/b", "a\\b", ".x", "x.incomplete", "a\0"] {
            assert_eq!(blob_name(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn unsafe_file_names_are_told_apart() {
        assert!(is_safe_path("model.safetensors") && is_safe_path("onnx/config.json"));
        for bad in ["/etc/passwd", "../x", "a/../b", "a\\b", "C:x", "a\nb", "", "a//b", "./x"] {
            assert!(!is_safe_path(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_revision_is_one_segment_of_the_address() {
        assert_eq!(percent_encode("refs/pr/1"), "refs%2Fpr%2F1");
    }
}
