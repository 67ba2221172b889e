//! A run: its folder, its manifest, its log of responses, and the loop that asks. Start reading at [`ask`].
//!
//! A run's folder holds `manifest.json` (what was asked, how), `responses.jsonl` and `receipts.jsonl` (one line a sample,
//! appended), and what [`finish`] makes of them: `results.json`, `measured.json`, `report.html`, a submission file.

pub mod ask;
mod folder;
pub(crate) mod log;
mod machine;
pub(crate) mod manifest;
mod merge;
mod question;
mod receipts;
mod select;
mod submission;
mod timer;

pub use ask::{EvalSettings, Running, Variant, Watch, run};
pub(crate) use folder::write_json;
pub use folder::{ComparedRuns, Finished, FolderLock, RunFolder, compare_runs, finish, summarise};
pub use machine::machine;
pub use manifest::{Environment, Manifest, Pinned, checkpoint_digest, pin, samples_digest};
pub use merge::merge;
pub use select::{Filter, Selection, Shard};
