//! From a video and a question to an answer with its receipt. Start reading at [`pipeline`].
//!
//! The stages, in the order in which data passes them:
//! [`plan`] (what will be done, before any decoding) -> [`encode`] (frames to visual tokens, a few at a time) ->
//! [`prefill`] (into the KV cache, in chunks) -> [`generate`] (token by token) -> [`evidence`] (the moments an answer rests
//! on) -> [`receipt`] (what was really done). [`index`] keeps the work on a video for the next question.

mod budget;
mod dedupe;
pub mod encode;
mod encoded;
mod error;
mod estimate;
pub mod evidence;
pub mod forcing;
pub mod generate;
pub mod index;
mod memory;
mod observer;
pub mod pipeline;
pub mod plan;
pub mod prefill;
pub mod receipt;
mod sampler;
mod session;
mod settings;
mod text_session;

pub use budget::{Fitting, MemoryEstimate, fit_to_memory, human_bytes};
pub use dedupe::Dedupe;
pub use encoded::EncodedFrames;
pub use error::EngineError;
pub use estimate::TimeEstimate;
pub use evidence::{Evidence, EvidenceHeads, EvidenceSettings, Moment};
pub use generate::{Continuation, Generation, StopReason, TokenLogprob};
pub use index::{Index, IndexContents, IndexUse};
pub use memory::PeakMemory;
pub use observer::{Observer, Silent, Stage};
pub use pipeline::{Answer, answer};
pub use plan::RunPlan;
pub use receipt::Receipt;
pub use session::{AnswerScore, Session};
pub use settings::{
    ContextSettings, EngineSettings, GenerationSettings, LogprobCount, PromptSettings, RunSettings,
    SubtitleSource, VideoSettings,
};
pub use text_session::{TextAnswer, TextReceipt, TextSession};

pub use longsight_store::{EntryInfo, Store, StoreError, StoreSettings};

/// Result with this crate's error.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;
