use crate::fault::{ErrorKind, Fault};
use crate::fitting::{Fitting, human_bytes};
use crate::settings::Setting;
use crate::text::{Text, text};
use longsight_method::MethodError;
use longsight_models::ModelError;
use longsight_video::VideoError;
use std::fmt;

/// What can go wrong between a question and its answer. Each is told as data, by [`EngineError::fault`]; as text it is one
/// line with the remedy.
#[derive(Debug)]
pub enum EngineError {
    /// The video.
    Video(VideoError),
    /// The model.
    Model(ModelError),
    /// The context method or the pooling.
    Method(MethodError),
    /// The run would not fit the memory that was allowed.
    Memory {
        /// Estimated peak.
        needed_bytes: u64,
        /// The limit.
        allowed_bytes: u64,
        /// The nearest setting that fits; None where not even one frame does.
        fitting: Option<Box<Fitting>>,
    },
    /// The caller asked to stop.
    Stopped,
    /// What the engine itself found.
    Found(Box<Fault>),
}

impl EngineError {
    /// A setting that is invalid.
    pub fn setting(field: Setting, problem: Text) -> Self {
        Fault { field: Some(field), ..Fault::new(ErrorKind::Setting, problem) }.into()
    }

    /// What was asked is invalid, though no setting of its own says it.
    pub fn request(problem: impl Into<Text>) -> Self {
        Fault::new(ErrorKind::Setting, problem.into()).into()
    }

    /// A fault of ours.
    pub fn internal(problem: impl Into<Text>) -> Self {
        Fault::new(ErrorKind::Internal, problem.into()).into()
    }

    /// What it is about.
    pub fn kind(&self) -> ErrorKind {
        self.fault().kind
    }

    /// The error as data.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Video(error) => Fault::of_video(error),
            Self::Model(error) => Fault::of_model(error),
            Self::Method(error) => Fault::of_method(error),
            Self::Memory { needed_bytes, allowed_bytes, fitting } => {
                let (needed, allowed) = (human_bytes(*needed_bytes), human_bytes(*allowed_bytes));
                Fault {
                    kind: ErrorKind::Memory,
                    field: fitting.as_ref().map(|fitting| fitting.limits),
                    problem: text![
                        format!("this run needs about {needed}, more than the {allowed} of "),
                        Setting::Memory
                    ],
                    remedy: Some(match fitting {
                        Some(fitting) => Text::from("the nearest that fits: ").then(fitting.text()),
                        None => "not even one frame fits: allow more memory or take a smaller model or dtype"
                            .into(),
                    }),
                }
            }
            Self::Stopped => Fault::new(ErrorKind::Stopped, "stopped".into()),
            Self::Found(fault) => (**fault).clone(),
        }
    }

    /// One line, with `name` for each setting.
    pub fn show(&self, name: &dyn Fn(Setting) -> String) -> String {
        self.fault().show(name)
    }
}

/// With the settings' keys.
impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show(&|setting| setting.key().to_owned()))
    }
}

impl std::error::Error for EngineError {}

impl From<Fault> for EngineError {
    fn from(fault: Fault) -> Self {
        Self::Found(Box::new(fault))
    }
}

impl From<VideoError> for EngineError {
    fn from(error: VideoError) -> Self {
        Self::Video(error)
    }
}

impl From<ModelError> for EngineError {
    fn from(error: ModelError) -> Self {
        Self::Model(error)
    }
}

impl From<MethodError> for EngineError {
    fn from(error: MethodError) -> Self {
        Self::Method(error)
    }
}

impl From<longsight_models::TensorError> for EngineError {
    fn from(error: longsight_models::TensorError) -> Self {
        Self::Model(ModelError::Tensor(error))
    }
}
