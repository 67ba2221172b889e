//! Where a benchmark's files are in its folder.

use super::rows::{Row, file_error, shown};
use crate::{EvalError, Result, Task};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Annotations are looked for in the folder and this many levels below it.
const DEPTH: usize = 2;

/// Folders of media: thousands of files, some of them JSON, and no annotations.
const MEDIA_FOLDERS: [&str; 4] = ["subtitle", "subtitles", "video", "videos"];

/// The annotation files of the first pattern that any file matches, in the order of their names.
///
/// A pattern is a path below the folder: `*` stands for any characters of a name, `?` for one, and a leading `**/` for
/// any folder or none. Errors: the folder cannot be listed, or nothing matches.
pub(crate) fn annotations(task: Task, folder: &Path, patterns: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = BTreeMap::new();
    list(folder, "", DEPTH, &mut files)?;
    for pattern in patterns {
        let mut found: Vec<(&String, &PathBuf)> =
            files.iter().filter(|(name, _)| matches(pattern, name)).collect();
        // A link may lead to a folder that is listed already.
        let mut seen = Vec::new();
        found.retain(|(_, real)| {
            let is_new = !seen.contains(real);
            seen.push(*real);
            is_new
        });
        if !found.is_empty() {
            return Ok(found.into_iter().map(|(name, _)| folder.join(name)).collect());
        }
    }
    let message = format!(
        "no annotations of {task} here: looked for {} (--data names the folder that the benchmark was downloaded to)",
        patterns.join(", ")
    );
    Err(file_error(folder, message))
}

/// Candidate files by their path below the folder, each with where it really is.
fn list(folder: &Path, prefix: &str, depth: usize, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|error| match prefix {
        "" => file_error(folder, format!("cannot be listed: {error}; --data names a benchmark's folder")),
        _ => file_error(folder, format!("cannot be listed: {error}")),
    })?;
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        // The manifest is that of a synthetic world.
        if name.starts_with('.') || name == "manifest.json" {
            continue;
        }
        let path = entry.path();
        let known = [".parquet", ".json", ".jsonl"].iter().any(|end| name.ends_with(end));
        if known && path.is_file() {
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            files.insert(format!("{prefix}{name}"), real);
        } else if depth > 0 && !MEDIA_FOLDERS.contains(&name.as_str()) && path.is_dir() {
            list(&path, &format!("{prefix}{name}/"), depth - 1, files)?;
        }
    }
    Ok(())
}

fn matches(pattern: &str, name: &str) -> bool {
    if let Some(rest) = pattern.strip_prefix("**/") {
        return name_matches(rest.as_bytes(), name.rsplit('/').next().unwrap_or(name).as_bytes());
    }
    let (mut wanted, mut parts) = (pattern.split('/'), name.split('/'));
    loop {
        match (wanted.next(), parts.next()) {
            (None, None) => return true,
            (Some(wanted), Some(part)) if name_matches(wanted.as_bytes(), part.as_bytes()) => {}
            _ => return false,
        }
    }
}

fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), Some((_, name_rest))) => {
            name_matches(rest, name) || name_matches(pattern, name_rest)
        }
        (Some((b'*', rest)), None) => name_matches(rest, name),
        (Some((wanted, rest)), Some((byte, name_rest))) => {
            (*wanted == b'?' || wanted == byte) && name_matches(rest, name_rest)
        }
        _ => false,
    }
}

/// What a row is read for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) task: Task,
    /// Where media are; None for the rows that a log of answers holds.
    pub(crate) folder: Option<&'a Path>,
    /// Whether the right answer may be absent.
    pub(crate) hidden: bool,
}

impl Source<'_> {
    /// The first of the places where a file is, else the first of them; and whether it is there.
    pub(crate) fn locate(&self, mut places: impl Iterator<Item = PathBuf>) -> (PathBuf, bool) {
        let Some(folder) = self.folder else { return (places.next().unwrap_or_default(), false) };
        let mut first = None;
        for place in places {
            let path = folder.join(place);
            if path.is_file() {
                return (path, true);
            }
            first.get_or_insert(path);
        }
        (first.unwrap_or_default(), false)
    }
}

/// A file name from an annotation, as a path that stays below the folder that it is joined to.
///
/// Errors: it is absolute, climbs with `..`, or is empty: no benchmark has such names.
pub(crate) fn inside(row: &Row, key: &str, name: &str) -> Result<PathBuf, EvalError> {
    let mut path = PathBuf::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err(row.error(format!("`{key}` leaves the folder: {}", shown(name)))),
        }
    }
    if path.as_os_str().is_empty() || name.contains('\0') {
        return Err(row.error(format!("`{key}` is no file name: {}", shown(name))));
    }
    Ok(path)
}
