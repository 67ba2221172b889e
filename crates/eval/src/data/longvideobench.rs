//! LongVideoBench: parquet with `option0` to `option4`, or the raw JSON with `candidates`; `videos/{video_path}`,
//! `subtitles/{subtitle_path}`.

use super::find::{Source, inside};
use super::rows::Row;
use super::{NO_GOLD, letter};
use crate::{Result, Sample, Task};
use std::path::{Path, PathBuf};

/// Where the annotations of the validation split are.
pub(crate) const VALIDATION_PATTERNS: &[&str] =
    &["**/validation*.parquet", "**/lvb_val.json", "**/validation*.jsonl"];

/// Where those of the test split are.
pub(crate) const TEST_PATTERNS: &[&str] = &["**/test*.parquet", "**/lvb_test_wo_gt.json"];

/// The columns that are read, of both forms.
pub(crate) const KEYS: &[&str] = &[
    "id",
    "video_path",
    "subtitle_path",
    "correct_choice",
    "question",
    "candidates",
    "option0",
    "option1",
    "option2",
    "option3",
    "option4",
    "duration",
    "duration_group",
    "question_category",
    "topic_category",
    "level",
    "starting_timestamp_for_subtitles",
];

/// The breakdown, under the names of its columns; the first two are the published one.
pub(crate) const GROUPS: [&str; 4] = ["duration_group", "question_category", "topic_category", "level"];

/// An option that is none.
const ABSENT: &str = "N/A";

pub(crate) fn sample(row: &Row, source: &Source<'_>) -> Result<Sample> {
    let video = row.text("video_path")?;
    let name = inside(row, "video_path", video)?;
    let options = options(row)?;
    let mut issues = Vec::new();
    let gold = gold(row, source, &options, &mut issues)?;
    let subtitles = subtitles(row, source, &mut issues)?;
    for key in ["duration_group", "question_category"] {
        row.label(key)?.ok_or_else(|| row.missing(key))?;
    }
    let duration_secs = row.number("duration")?.ok_or_else(|| row.missing("duration"))?;
    let folders = ["videos", "video", ""].into_iter();
    Ok(Sample {
        id: row.text("id")?.into(),
        row: row.number,
        video_id: video.into(),
        video: source.locate(folders.map(|folder| Path::new(folder).join(&name))).0,
        subtitles,
        question: row.text("question")?.into(),
        options,
        gold,
        groups: row.groups(&GROUPS)?,
        duration_secs: Some(duration_secs),
        subtitle_offset_secs: row.number("starting_timestamp_for_subtitles")?.unwrap_or(0.0),
        issues,
    })
}

/// Five options, `N/A` where there are fewer, or the raw form's four or five.
fn options(row: &Row) -> Result<Vec<String>> {
    if let Some(candidates) = row.optional_texts("candidates")? {
        return Ok(candidates);
    }
    if !row.fields.contains_key("option0") {
        return Err(row.error("`option0` to `option4`, or `candidates`, are missing"));
    }
    let option = |index| Ok(row.optional_text(&format!("option{index}"))?.unwrap_or(ABSENT).to_owned());
    (0..5).map(option).collect()
}

/// The letter of `correct_choice`, which counts from 0 with the absent options, as lmms-eval does.
fn gold(
    row: &Row,
    source: &Source<'_>,
    options: &[String],
    issues: &mut Vec<String>,
) -> Result<Option<String>> {
    let choice = match row.integer("correct_choice")? {
        None if source.hidden => return Ok(None),
        Some(choice) if source.hidden && choice < 0 => return Ok(None),
        None => return Err(row.missing("correct_choice")),
        Some(choice) => choice,
    };
    let index = usize::try_from(choice).ok();
    let is_there = index.and_then(|index| options.get(index)).is_some_and(|option| option != ABSENT);
    if let Some(letter) = index.and_then(letter).filter(|_| is_there) {
        return Ok(Some(letter.into()));
    }
    let count = options.iter().filter(|option| *option != ABSENT).count();
    issues.push(match count {
        0 => "there are no candidates".into(),
        _ => format!("the right answer, number {choice} from 0, is none of the {count} candidates"),
    });
    Ok(Some(NO_GOLD.into()))
}

/// The subtitle file, where the task wants it.
fn subtitles(row: &Row, source: &Source<'_>, issues: &mut Vec<String>) -> Result<Option<PathBuf>> {
    let wanted = source.task == Task::LongVideoBenchSubs && source.folder.is_some();
    let Some(name) = row.optional_text("subtitle_path")? else {
        if wanted {
            issues.push("no subtitle file is annotated: asked without subtitles".into());
        }
        return Ok(None);
    };
    let name = inside(row, "subtitle_path", name)?;
    let (path, is_there) =
        source.locate(["subtitles", "subtitle", ""].iter().map(|folder| Path::new(folder).join(&name)));
    if wanted && !is_there {
        issues.push(format!("{} is missing: asked without subtitles", path.display()));
    }
    Ok(Some(path).filter(|_| wanted && is_there))
}
