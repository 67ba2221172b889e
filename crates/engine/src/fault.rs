//! Errors as data. The errors of the crates below become data here, by their types.

use crate::settings::Setting;
use crate::text::{Text, text};
use longsight_method::MethodError;
use longsight_models::ModelError;
use longsight_video::VideoError;

/// What an error is about, and so who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Something that was asked is invalid: a setting, a conversation.
    Setting,
    /// The video, or the part of it that was asked for.
    Video,
    /// This model cannot do what was asked.
    Unsupported,
    /// The checkpoint.
    Model,
    /// More memory than was allowed.
    Memory,
    /// The machine: a program that is not installed, threads that cannot be started.
    Machine,
    /// The caller asked to stop.
    Stopped,
    /// A fault of ours.
    Internal,
}

impl ErrorKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Setting,
        Self::Video,
        Self::Unsupported,
        Self::Model,
        Self::Memory,
        Self::Machine,
        Self::Stopped,
        Self::Internal,
    ];
}

/// An error as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it is about.
    pub kind: ErrorKind,
    /// The setting that it is about, where there is one.
    pub field: Option<Setting>,
    /// What is the matter.
    pub problem: Text,
    /// What to do, where the problem does not say it already.
    pub remedy: Option<Text>,
}

impl Fault {
    /// Without a setting; a fault of ours is to be reported.
    pub fn new(kind: ErrorKind, problem: Text) -> Self {
        let remedy = (kind == ErrorKind::Internal).then(|| "please report this".into());
        Self { kind, field: None, problem, remedy }
    }

    /// With what to do.
    pub fn with_remedy(self, remedy: Text) -> Self {
        Self { remedy: Some(remedy), ..self }
    }

    /// One line, with `name` for each setting.
    pub fn show(&self, name: &dyn Fn(Setting) -> String) -> String {
        let remedy = self.remedy.as_ref().map(|remedy| format!("; {}", remedy.show(name)));
        format!("{}{}", self.problem.show(name), remedy.unwrap_or_default())
    }

    pub(crate) fn of_video(error: &VideoError) -> Self {
        let kind = match error {
            VideoError::ToolMissing { .. } | VideoError::NoThread { .. } => ErrorKind::Machine,
            VideoError::Io { source, .. } if is_shortage(source) => ErrorKind::Machine,
            _ => ErrorKind::Video,
        };
        let (field, problem) = match error {
            VideoError::NoFramesAsked | VideoError::TooManyFramesAsked { .. } => {
                (Some(Setting::Frames), None)
            }
            VideoError::BadFps { .. } => (Some(Setting::Fps), None),
            VideoError::ClipReversed { from, to } => {
                let said = text![
                    "the clip is empty: ",
                    Setting::From,
                    format!(" {from} is not before "),
                    Setting::To,
                    format!(" {to}"),
                ];
                (Some(Setting::From), Some(said))
            }
            VideoError::ClipPastEnd { .. } | VideoError::ClipEmpty { .. } => (Some(Setting::From), None),
            VideoError::UrlNotAllowed { url } => {
                let said = text![
                    format!("{url}: is a URL; pass "),
                    Setting::AllowUrl,
                    " to let ffmpeg read from the network",
                ];
                (Some(Setting::AllowUrl), Some(said))
            }
            _ => (None, None),
        };
        Self { field, ..Self::new(kind, problem.unwrap_or_else(|| error.to_string().into())) }
    }

    pub(crate) fn of_model(error: &ModelError) -> Self {
        match error {
            ModelError::Method(error) => Self::of_method(error),
            ModelError::CacheFull { capacity, needed } => {
                let problem = format!("the KV cache holds {capacity} tokens and {needed} are needed");
                let remedy =
                    text!["start a new conversation, or leave more room (", Setting::SpareTokens, ")"];
                Self::new(ErrorKind::Setting, problem.into()).with_remedy(remedy)
            }
            ModelError::NotFinite => {
                let problem = "the model's logits are not finite numbers: are its weights whole?";
                let remedy = text!["download the checkpoint again, or try ", Setting::Dtype, " f32"];
                Self::new(ErrorKind::Model, problem.into()).with_remedy(remedy)
            }
            ModelError::Argument(_) | ModelError::Tokenizer(_) => {
                Self::new(ErrorKind::Unsupported, error.to_string().into())
            }
            ModelError::Stopped => Self::new(ErrorKind::Stopped, error.to_string().into()),
            ModelError::Tensor(_) => Self::new(ErrorKind::Internal, error.to_string().into()),
            other => Self::new(ErrorKind::Model, other.to_string().into()),
        }
    }

    pub(crate) fn of_method(error: &MethodError) -> Self {
        let (kind, field) = match error {
            MethodError::UnknownName { what, .. } if what.contains("context") => {
                (ErrorKind::Setting, Some(Setting::Context))
            }
            MethodError::Scale { .. } | MethodError::NtkOverflow { .. } => {
                (ErrorKind::Setting, Some(Setting::Scale))
            }
            MethodError::NtkHeadDim => (ErrorKind::Unsupported, Some(Setting::Context)),
            MethodError::Window { which: "visual" } => (ErrorKind::Setting, Some(Setting::VisualWindow)),
            MethodError::Window { .. } => (ErrorKind::Setting, Some(Setting::LanguageWindow)),
            MethodError::RampBounds { .. } => (ErrorKind::Setting, Some(Setting::Alpha)),
            MethodError::PoolSyntax { .. } | MethodError::PoolNumbers { .. } => {
                (ErrorKind::Setting, Some(Setting::Pool))
            }
            MethodError::StrideTooLarge { .. } => (ErrorKind::Setting, Some(Setting::Pool)),
            MethodError::Frames { .. } => (ErrorKind::Setting, Some(Setting::Frames)),
            MethodError::HeadDim { .. } | MethodError::Theta { .. } | MethodError::Grid { .. } => {
                (ErrorKind::Model, None)
            }
            _ => (ErrorKind::Setting, None),
        };
        Self { field, ..Self::new(kind, error.to_string().into()) }
    }
}

/// Whether the system has too little of something: memory, processes, open files, room on the disk.
fn is_shortage(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{OutOfMemory, QuotaExceeded, StorageFull, WouldBlock};
    const TOO_MANY_FILES: [i32; 2] = [23, 24]; // ENFILE and EMFILE, of all systems with these numbers
    matches!(error.kind(), OutOfMemory | WouldBlock | StorageFull | QuotaExceeded)
        || cfg!(unix) && error.raw_os_error().is_some_and(|number| TOO_MANY_FILES.contains(&number))
}
