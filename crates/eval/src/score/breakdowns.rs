//! The benchmarks' breakdowns: their names and labels, in the order of their reports.

use crate::{Benchmark, Task};

/// A group's name, and its labels.
pub(super) type Known = (&'static str, &'static [&'static str]);

/// The group whose labels are MLVU's tasks.
pub(super) const MLVU_TASKS: &str = "task_type";

pub(super) fn of(task: Task) -> &'static [Known] {
    match (task.benchmark(), task) {
        (Benchmark::VideoMme, _) => VIDEOMME,
        (Benchmark::Mlvu, Task::MlvuTest) => MLVU_TEST,
        (Benchmark::Mlvu, _) => MLVU_DEV,
        (Benchmark::LongVideoBench, _) => LONGVIDEOBENCH,
        (Benchmark::World, _) => WORLD,
    }
}

const WORLD: &[Known] =
    &[("kind", &["which", "what-number", "is-there", "first", "next", "how-many", "when", "describe"])];

const VIDEOMME: &[Known] = &[
    ("duration", &["short", "medium", "long"]),
    (
        "domain",
        &[
            "Knowledge",
            "Film & Television",
            "Sports Competition",
            "Artistic Performance",
            "Life Record",
            "Multilingual",
        ],
    ),
    (
        "sub_category",
        &[
            "Humanity & History",
            "Literature & Art",
            "Biology & Medicine",
            "Finance & Commerce",
            "Astronomy",
            "Geography",
            "Law",
            "Life Tip",
            "Technology",
            "Animation",
            "Movie & TV Show",
            "Documentary",
            "News Report",
            "Esports",
            "Basketball",
            "Football",
            "Athletics",
            "Other Sports",
            "Stage Play",
            "Magic Show",
            "Variety Show",
            "Acrobatics",
            "Handicraft",
            "Food",
            "Fashion",
            "Daily Life",
            "Travel",
            "Pet & Animal",
            "Exercise",
            "Multilingual",
        ],
    ),
    (
        "task_type",
        &[
            "Temporal Perception",
            "Spatial Perception",
            "Attribute Perception",
            "Action Recognition",
            "Object Recognition",
            "OCR Problems",
            "Counting Problem",
            "Temporal Reasoning",
            "Spatial Reasoning",
            "Action Reasoning",
            "Object Reasoning",
            "Information Synopsis",
        ],
    ),
];

const MLVU_DEV: &[Known] =
    &[(MLVU_TASKS, &["plotQA", "needle", "ego", "count", "order", "anomaly_reco", "topic_reasoning"])];

const MLVU_TEST: &[Known] = &[(
    MLVU_TASKS,
    &[
        "plotQA",
        "needleQA",
        "ego",
        "count",
        "order",
        "anomaly_reco",
        "topic_reasoning",
        "sportsQA",
        "tutorialQA",
    ],
)];

const LONGVIDEOBENCH: &[Known] = &[
    ("duration_group", &["15", "60", "600", "3600"]),
    (
        "question_category",
        &[
            "E2O", "E3E", "O2E", "O3O", "S2A", "S2E", "S2O", "SAA", "SOS", "SSS", "T2A", "T2E", "T2O", "T3E",
            "T3O", "TAA", "TOS",
        ],
    ),
];
