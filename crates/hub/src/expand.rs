//! `~` and `$NAME` in paths, as Python's `os.path.expanduser` and then `expandvars` read them: huggingface_hub applies both to
//! its folders, and so a value that works there has to mean the same here.

use std::path::{Path, PathBuf};

/// Where the system lists its users.
const USERS: &str = "/etc/passwd";
const MAX_USERS_BYTES: u64 = 16 << 20;

/// A path with its first `~` or `~user` as that user's home folder, and `$NAME` and `${NAME}` as the variables' values. What is
/// not known stays as it is; values are not expanded again.
pub(crate) fn expanded(path: &str, lookup: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    PathBuf::from(with_variables(&with_home(path, lookup), lookup))
}

fn with_home(path: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let Some(after) = path.strip_prefix('~') else { return path.to_owned() };
    let (user, rest) = after.split_at(after.find('/').unwrap_or(after.len()));
    let home = match user {
        "" => lookup("HOME").or_else(|| lookup("USERPROFILE")),
        user => home_of(user, Path::new(USERS)),
    };
    match home {
        Some(home) if rest.is_empty() && home.trim_end_matches('/').is_empty() => "/".to_owned(),
        Some(home) => format!("{}{rest}", home.trim_end_matches('/')),
        None => path.to_owned(),
    }
}

/// The home folder of a user in a file of lines `name:password:user:group:words:home:shell`.
fn home_of(user: &str, users: &Path) -> Option<String> {
    let text = longsight_text::read_text(users, MAX_USERS_BYTES).ok()?;
    let fields =
        text.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == user)?;
    fields.get(5).map(|home| (*home).to_owned())
}

fn with_variables(path: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let (name, length) = name_after_dollar(&from[1..]);
        match name.and_then(lookup) {
            Some(value) => text.push_str(&value),
            None => text.push_str(&from[..1 + length]),
        }
        rest = &from[1 + length..];
    }
    text + rest
}

/// The name after a dollar sign, if one stands there, and the bytes that it takes, braces included.
fn name_after_dollar(text: &str) -> (Option<&str>, usize) {
    if let Some((name, _)) = text.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        return (Some(name), name.len() + 2);
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let length = text.find(|c| !is_name(c)).unwrap_or(text.len());
    ((length > 0).then_some(&text[..length]), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> String {
        let lookup = |name: &str| match name {
            "HOME" => Some("/home/me/".to_owned()),
            "DISK" => Some("/mnt/$HOME".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expanded(path, &lookup).to_str().unwrap().to_owned()
    }

    #[test]
    fn tilde_and_variables_are_expanded_as_python_does() {
        // (given, what os.path.expandvars(os.path.expanduser(given)) returns)
        let cases = [
            ("~", "/home/me"),
            ("~/hub", "/home/me/hub"),
            ("a/~/b", "a/~/b"),
            ("$DISK/x", "/mnt/$HOME/x"),
            ("${DISK}x", "/mnt/$HOMEx"),
            ("$HOME", "/home/me/"),
            ("/a$EMPTY/b", "/a/b"),
            ("$NOT_SET/x", "$NOT_SET/x"),
            ("${NOT_SET}", "${NOT_SET}"),
            ("$", "$"),
            ("a$-${DISK", "a$-${DISK"),
            ("$$DISK", "$/mnt/$HOME"),
            ("~nobody-of-this-name/x", "~nobody-of-this-name/x"),
        ];
        for (given, expected) in cases {
            assert_eq!(of(given), expected, "{given}");
        }
    }

    #[test]
    fn another_users_home_is_the_systems() {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("passwd");
        std::fs::write(
            &users,
            "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nshort:x\n",
        )
        .unwrap();
        assert_eq!(home_of("ann", &users).as_deref(), Some("/home/ann"));
        assert_eq!(home_of("short", &users), None);
        assert_eq!(home_of("bob", &users), None);
    }
}
