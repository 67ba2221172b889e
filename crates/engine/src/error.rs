use longsight_method::MethodError;
use longsight_models::ModelError;
use longsight_video::VideoError;

/// What can go wrong between a question and its answer. Every message is one line with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The video.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The context method or the pooling.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// A setting that cannot be meant.
    #[error("{0}")]
    Setting(String),
    /// The run would not fit the memory that was allowed.
    #[error("this run needs about {needed}, more than the {allowed} of --memory; {remedy}")]
    Memory {
        /// Estimated peak, for people.
        needed: String,
        /// The limit, for people.
        allowed: String,
        /// The nearest setting that fits.
        remedy: String,
    },
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

impl From<longsight_models::TensorError> for EngineError {
    fn from(error: longsight_models::TensorError) -> Self {
        Self::Model(ModelError::Tensor(error))
    }
}
