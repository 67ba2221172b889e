//! From a video and a question to an answer with its receipt. Start reading at [`ask`].
//!
//! The stages, in the order in which data passes them:
//! [`plan`] (what will be done, before any decoding) -> [`encode`] (frames to visual tokens, a few at a time) ->
//! [`prefill`] (into the KV cache, in chunks) -> [`generate`] (token by token) -> [`evidence`] (the moments an answer rests
//! on) -> [`receipt`] (what was really done). [`index`] keeps the work on a video for the next question.

mod answer;
pub mod ask;
mod available;
mod budget;
mod dedupe;
pub mod encode;
mod encoded;
mod error;
mod estimate;
pub mod evidence;
mod fault;
mod fitting;
pub mod forcing;
mod frames;
pub mod generate;
pub mod index;
mod memory;
mod observer;
pub mod plan;
pub mod prefill;
pub mod receipt;
mod sampler;
mod session;
mod settings;
mod text;
mod text_session;
mod timings;
mod warning;

pub use answer::{Answer, AnswerScore};
pub use ask::{Frames, Planned, Probed, Request, answer};
pub use available::{available_bytes, process_limit};
pub use budget::{MemoryEstimate, fit_to_memory};
pub use dedupe::Dedupe;
pub use encoded::EncodedFrames;
pub use error::EngineError;
pub use estimate::TimeEstimate;
pub use evidence::{Evidence, EvidenceHeads, EvidenceSettings, Moment};
pub use fault::{ErrorKind, Fault};
pub use fitting::{Fitting, human_bytes};
pub use generate::{Continuation, Generation, StopReason, TokenLogprob};
pub use index::{Index, IndexContents, IndexUse};
pub use memory::PeakMemory;
pub use observer::{Observer, Silent, Stage};
pub use plan::RunPlan;
pub use receipt::Receipt;
pub use session::{FrameSource, Session};
pub use settings::{
    ContextSettings, EngineSettings, GenerationSettings, LogprobCount, Names, Place, PromptSettings,
    RunSettings, Setting, SettingValue, SubtitleSource, VideoSettings,
};
pub use text::{Piece, Text};
pub use text_session::{TextAnswer, TextReceipt, TextSession};
pub use timings::Timings;
pub use warning::{Warning, WarningKind};

pub use longsight_store::{EntryInfo, Store, StoreError, StoreSettings};

/// Result with this crate's error.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;
