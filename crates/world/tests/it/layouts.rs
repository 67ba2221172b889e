//! Benchmark folders, read back by their published schemas.

use crate::{run, tiny};
use longsight_world::{
    Layout, QuestionKind, QuestionRow, Range, Stage, Summary, Tools, Truth, WorldSettings, make,
};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub struct Made {
    folder: tempfile::TempDir,
    summary: Summary,
}

impl Made {
    pub fn new(settings: &WorldSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let summary = make(settings, &Tools::default(), folder.path(), &mut |_| ()).unwrap();
        Self { folder, summary }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn json(&self, name: &str) -> Vec<Value> {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    pub fn truth(&self, name: &str) -> Truth {
        serde_json::from_str(&self.text(&format!("truth/{name}.json"))).unwrap()
    }
}

pub fn settings(layout: Layout, videos: u32) -> WorldSettings {
    WorldSettings { layout, videos, duration_secs: Range::new(2.0, 6.0), stage: Stage::Two, ..tiny() }
}

/// Rows as JSON, and the columns' names in order.
pub fn table(path: &Path) -> (Vec<String>, Vec<BTreeMap<String, Value>>) {
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema();
    let names = schema.get_fields().iter().map(|field| field.name().to_owned()).collect();
    let value = |field: &Field| match field {
        Field::Str(text) => json!(text),
        Field::Long(value) => json!(value),
        Field::Double(value) => json!(value),
        Field::ListInternal(list) => {
            list.elements().iter().map(|item| json!(item.to_string().trim_matches('"'))).collect()
        }
        other => panic!("{other:?}"),
    };
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        row.unwrap().get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
    });
    (names, rows.collect())
}

pub fn text<'a>(row: &'a BTreeMap<String, Value>, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("{key} of {row:?}"))
}

pub fn texts(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

fn duration_of(path: &Path) -> f64 {
    let args = ["-show_entries", "format=duration", "-of", "csv=p=0", path.to_str().unwrap()];
    String::from_utf8(run("ffprobe", &args)).unwrap().trim().parse().unwrap()
}

#[test]
fn plain() {
    let made = Made::new(&settings(Layout::Plain, 3));
    let rows: Vec<QuestionRow> =
        made.text("questions.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), made.summary.questions);
    let kinds: BTreeSet<_> = rows.iter().map(|row| row.question.kind).collect();
    assert_eq!(kinds.len(), QuestionKind::ALL.len(), "{kinds:?}");
    let ids: BTreeSet<_> = rows.iter().map(|row| &row.id).collect();
    assert_eq!(ids.len(), rows.len());
    for row in &rows {
        assert!(made.path(&row.video).is_file());
        let truth = made.truth(row.video.trim_start_matches("videos/").trim_end_matches(".mp4"));
        assert_eq!(truth.video, row.video);
        for (&card, times) in row.question.cards.iter().zip(&row.question.times_secs) {
            let shown = &truth.script.cards[card];
            assert_eq!([shown.from_secs, shown.to_secs], *times);
        }
    }
    let truth: Value = serde_json::from_str(&made.text("truth/00000.json")).unwrap();
    for key in [
        "video",
        "codec",
        "seed",
        "width",
        "height",
        "frame_rate",
        "frames",
        "duration_secs",
        "segments",
        "cards",
    ] {
        assert!(!truth[key].is_null(), "{key}");
    }
    let keys = [
        "plate",
        "shape",
        "shape_colour",
        "number",
        "centre",
        "size",
        "tilt_degrees",
        "first_frame",
        "last_frame",
        "from_secs",
        "to_secs",
    ];
    assert!(keys.iter().all(|key| !truth["cards"][0][key].is_null()), "{}", truth["cards"][0]);
    let manifest: Value = serde_json::from_str(&made.text("manifest.json")).unwrap();
    assert_eq!(manifest["settings"]["seed"], 7);
    assert_eq!(manifest["settings"]["layout"], "plain");
}

#[test]
fn videomme() {
    let made = Made::new(&settings(Layout::VideoMme, 7));
    let (names, rows) = table(&made.path("videomme/test-00000-of-00001.parquet"));
    let columns = [
        "video_id",
        "duration",
        "domain",
        "sub_category",
        "url",
        "videoID",
        "question_id",
        "task_type",
        "question",
        "options",
        "answer",
    ];
    assert_eq!(names, columns);
    assert_eq!(rows.len(), 21);
    let (domains, task_types) = label_names();
    let mut lengths: BTreeMap<String, f64> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(text(row, "video_id"), format!("{:03}", index / 3 + 1));
        assert_eq!(text(row, "question_id"), format!("{:03}-{}", index / 3 + 1, index % 3 + 1));
        assert!(domains[text(row, "domain")].contains(&text(row, "sub_category")), "{row:?}");
        assert!(task_types.contains(&text(row, "task_type")), "{row:?}");
        let options = texts(&row["options"]);
        assert_eq!(options.len(), 4);
        for (option, letter) in options.iter().zip(["A. ", "B. ", "C. ", "D. "]) {
            assert!(option.starts_with(letter) && option.ends_with('.') && option.len() > 4, "{option}");
        }
        assert!(["A", "B", "C", "D"].contains(&text(row, "answer")));
        let id = text(row, "videoID");
        assert_eq!(id.len(), 11);
        let video = made.path(&format!("data/{id}.mp4"));
        let secs = duration_of(&video);
        assert!((secs - made.truth(id).script.duration_secs).abs() < 0.11, "{secs}");
        let longest = lengths.entry(text(row, "duration").into()).or_default();
        *longest = longest.max(secs);
        let srt = made.path(&format!("subtitle/{id}.srt"));
        assert!(srt.is_file() || text(row, "duration") != "long", "long videos have subtitles");
    }
    assert!(lengths["short"] < lengths["medium"] && lengths["medium"] < lengths["long"], "{lengths:?}");
    check_srt(&made);
}

fn check_srt(made: &Made) {
    let files: Vec<_> =
        std::fs::read_dir(made.path("subtitle")).unwrap().map(|e| e.unwrap().path()).collect();
    let all: String = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let cues: Vec<&str> = all.split("\n\n").filter(|cue| !cue.is_empty()).collect();
    assert!(!cues.is_empty());
    for cue in cues {
        let lines: Vec<&str> = cue.lines().collect();
        assert!(lines.len() == 3 && lines[0].parse::<u32>().is_ok(), "{cue}");
        let (from, to) = lines[1].split_once(" --> ").unwrap();
        assert!(from.len() == 12 && from < to && from.as_bytes()[8] == b',', "{cue}");
        assert!(
            lines[2].starts_with("<font color=\"white\" size=\".72c\">") && lines[2].ends_with("</font>"),
            "{cue}"
        );
    }
}

/// The benchmark's label names, written down a second time.
fn label_names() -> (BTreeMap<&'static str, Vec<&'static str>>, Vec<&'static str>) {
    let domains = [
        (
            "Knowledge",
            "Humanity & History|Literature & Art|Biology & Medicine|Finance & Commerce|Astronomy|Geography|Law|Life Tip|Technology",
        ),
        ("Film & Television", "Animation|Movie & TV Show|Documentary|News Report"),
        ("Sports Competition", "Esports|Basketball|Football|Athletics|Other Sports"),
        ("Artistic Performance", "Stage Play|Magic Show|Variety Show|Acrobatics"),
        ("Life Record", "Handicraft|Food|Fashion|Daily Life|Travel|Pet & Animal|Exercise"),
        ("Multilingual", "Multilingual"),
    ];
    let task_types = "Temporal Perception|Spatial Perception|Attribute Perception|Action Recognition|Object Recognition|\
        OCR Problems|Counting Problem|Temporal Reasoning|Spatial Reasoning|Action Reasoning|Object Reasoning|Information Synopsis";
    (domains.map(|(name, subs)| (name, subs.split('|').collect())).into(), task_types.split('|').collect())
}

const MLVU_TASKS: [(&str, &str, &str); 7] = [
    ("1_plotQA", "plotQA", "plotQA"),
    ("2_needle", "findNeedle", "needle"),
    ("3_ego", "ego", "ego"),
    ("4_count", "count", "count"),
    ("5_order", "order", "order"),
    ("6_anomaly_reco", "anomaly_reco", "anomaly_reco"),
    ("7_topic_reasoning", "topic_reasoning", "topic_reasoning"),
];

#[test]
fn mlvu() {
    let made = Made::new(&settings(Layout::Mlvu, 8));
    let mut rows_in_all = 0;
    for (file, question_type, _) in MLVU_TASKS {
        let rows = made.json(&format!("json/{file}.json"));
        assert!(!rows.is_empty(), "{file}: an empty task would count 0 in M-Avg");
        rows_in_all += rows.len();
        for row in rows {
            let mut keys: Vec<_> = row.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            assert_eq!(keys, ["answer", "candidates", "duration", "question", "question_type", "video"]);
            assert_eq!(row["question_type"], question_type);
            let candidates = texts(&row["candidates"]);
            assert_eq!(candidates.len(), 4);
            assert_eq!(
                candidates.iter().filter(|candidate| **candidate == row["answer"]).count(),
                1,
                "{row}"
            );
            let video = made.path(&format!("video/{file}/{}", row["video"].as_str().unwrap()));
            assert!((duration_of(&video) - row["duration"].as_f64().unwrap()).abs() < 0.11);
        }
    }
    assert_eq!(rows_in_all, made.summary.questions);
}

#[test]
fn mlvu_as_lmms_eval_reads_it() {
    let made = Made::new(&settings(Layout::MlvuLmms, 7));
    let (names, rows) = table(&made.path("data/test-00000-of-00001.parquet"));
    assert_eq!(
        names,
        ["video_name", "duration", "question", "candidates", "answer", "task_type", "question_id"]
    );
    let tasks: BTreeSet<&str> = rows.iter().map(|row| text(row, "task_type")).collect();
    assert_eq!(tasks, MLVU_TASKS.iter().map(|task| task.2).collect());
    for row in &rows {
        let candidates = texts(&row["candidates"]);
        let lettered = candidates.iter().zip('A'..).map(|(text, letter)| format!("\n({letter}) {text}"));
        assert!(text(row, "question").ends_with(&lettered.collect::<String>()), "{row:?}");
        assert!(["A", "B", "C", "D"].contains(&text(row, "answer")));
        assert!(made.path("video").join(text(row, "video_name")).is_file(), "{row:?}");
        assert!(row["duration"].is_f64());
    }
}
