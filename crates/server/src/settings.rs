use crate::ServeError;
use longsight_engine::{Index, RunSettings, SubtitleSource};
use longsight_video::FrameBudget;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How a server runs.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where it listens.
    pub address: SocketAddr,
    /// What every request but those for health must bear; None lets everyone in who reaches the address.
    pub key: Option<String>,
    /// Listens beyond loopback without a key.
    pub open_without_key: bool,
    /// The model's name in the API.
    pub model_name: String,
    /// Its checkpoint's folder.
    pub model_folder: PathBuf,
    /// What requests do not say.
    pub run: RunSettings,
    /// The index that questions share; None keeps nothing.
    pub index: Option<Index>,
    /// Folder of uploads.
    pub data_folder: PathBuf,
    /// Hosts that videos and images may be fetched from (`HOST` or `HOST:PORT`); an IP address must be named itself, unless
    /// it is a public one.
    pub allowed_hosts: Vec<String>,
    /// Limits of requests.
    pub limits: Limits,
}

/// What a request may ask for. Everything beyond is refused with a message that names the limit.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request's body, uploads excepted.
    pub body_bytes: usize,
    /// Bytes of a request's text: what is said in its messages.
    pub text_bytes: usize,
    /// Tokens of a prompt that are not visual.
    pub text_tokens: usize,
    /// Seconds for a request's head, and without a byte after which its body, or an answer that its client does not take,
    /// is given up.
    pub idle_secs: u64,
    /// Seconds for a body as a whole; longer where it comes at 16 KiB a second on average.
    pub body_secs: u64,
    /// Connections at once. One more closes the oldest that has sent no request.
    pub connections: usize,
    /// Bytes of one upload.
    pub upload_bytes: u64,
    /// Bytes of all uploads, and of the files of requests at work.
    pub storage_bytes: u64,
    /// Seconds after its last byte for which an unfinished upload is kept.
    pub unfinished_secs: u64,
    /// Length of a video.
    pub duration_secs: f64,
    /// Frames of a question.
    pub frames: usize,
    /// Tokens of an answer.
    pub answer_tokens: usize,
    /// Questions that wait.
    pub queue: usize,
    /// Seconds that the question at work is given when the server is stopped.
    pub shutdown_secs: u64,
}

/// Whether a text can be the name or address of a host, with a port or without.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.:[]".contains(c))
}

impl ServerSettings {
    pub(crate) fn check(&self) -> Result<(), ServeError> {
        let most = self.limits.frames;
        let frames = match &self.run.video.sample.budget {
            FrameBudget::Uniform { frames } => *frames,
            FrameBudget::Fps { max_frames, .. } => *max_frames,
            FrameBudget::Indices(indices) => indices.len(),
        };
        if !(1..=most).contains(&frames) {
            let message = format!(
                "questions would take {frames} frames by default, and may take 1 to {most}: give --frames or \
                 --max-question-frames"
            );
            return Err(ServeError::Setting(message));
        }
        if let Some(host) = self.allowed_hosts.iter().find(|host| !is_host(host)) {
            let message = format!("`{host}` is no host: write NAME or NAME:PORT, as in example.org");
            return Err(ServeError::Setting(message));
        }
        if let Some(SubtitleSource::File(path, _)) = &self.run.subtitles
            && let Err(source) = std::fs::metadata(path)
        {
            return Err(ServeError::File { path: path.clone(), source });
        }
        if self.key.as_ref().is_some_and(|key| key.trim().is_empty()) {
            return Err(ServeError::Setting("the key is empty; leave it out, or give one".into()));
        }
        if !self.address.ip().is_loopback() && self.key.is_none() && !self.open_without_key {
            return Err(ServeError::Setting(format!(
                "{} can be reached from other machines: set a key (LONGSIGHT_API_KEY), or say --open-without-key",
                self.address
            )));
        }
        Ok(())
    }
}
