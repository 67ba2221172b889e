//! The `longsight` object of requests.

use super::media::chosen_twice;
use crate::echo::echo;
use crate::error::{ApiError, ApiResult};
use crate::state::App;
use longsight_engine::{EvidenceSettings, RunSettings, Setting};
use longsight_video::{FrameBudget, MediaTime};
use serde::Deserialize;
use serde_json::Value;

/// The `longsight` object of requests: the flags of `longsight ask`, under the same names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    frames: Option<usize>,
    fps: Option<f64>,
    max_frames: Option<usize>,
    from: Option<Clock>,
    to: Option<Clock>,
    context: Option<String>,
    scale: Option<Value>,
    pool: Option<String>,
    dedupe: Option<Value>,
    /// List the moments that the answer rests on.
    evidence: bool,
    moments: Option<usize>,
    /// Stream progress, as chunks without choices.
    pub(crate) progress: bool,
}

/// Seconds, or a time as the command line takes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a time must be seconds, or a text such as 1:23:45")]
enum Clock {
    Secs(f64),
    Text(String),
}

impl Options {
    pub(crate) fn chooses_frames(&self) -> bool {
        self.frames.is_some() || self.fps.is_some() || self.max_frames.is_some()
    }

    /// Takes a rate and a number of frames that other fields give.
    ///
    /// # Errors
    /// Frames that this object chooses too.
    pub(super) fn choose(&mut self, fps: Option<f64>, frames: Option<usize>) -> ApiResult<()> {
        if fps.is_none() && frames.is_none() {
            return Ok(());
        }
        if self.chooses_frames() {
            return Err(chosen_twice());
        }
        match fps {
            Some(_) => (self.fps, self.max_frames) = (fps, frames),
            None => self.frames = frames,
        }
        Ok(())
    }

    /// The server's settings with what the request says.
    pub(crate) fn resolve(&self, app: &App) -> ApiResult<RunSettings> {
        self.check_frames(app)?;
        let mut run = app.settings.run.clone();
        // A setting is here a field of requests, or the operator's; a new one does not compile before it is either.
        let RunSettings {
            video,
            context,
            pool,
            dedupe,
            evidence,
            template: _,
            prompt: _,
            subtitles: _,
            generation: _, // fields of OpenAI's own, resolved with the request
            engine: _,
            kv_dtype: _,
            memory_limit_bytes: _,
        } = &mut run;
        let sample = &mut video.sample;
        sample.budget = self.budget(&sample.budget);
        sample.from = time(self.from.as_ref(), Setting::From)?.or(sample.from);
        sample.to = time(self.to.as_ref(), Setting::To)?.or(sample.to);
        if let Some(method) = &self.context {
            context.method = parsed(method, Setting::Context)?;
        }
        if let Some(scale) = &self.scale {
            context.scale = parsed(&word(scale), Setting::Scale)?;
        }
        if let Some(text) = &self.pool {
            *pool = Some(parsed(text, Setting::Pool)?);
        }
        if let Some(text) = &self.dedupe {
            *dedupe = parsed(&word(text), Setting::Dedupe)?;
        }
        if self.evidence {
            let usual = EvidenceSettings::default();
            *evidence = Some(EvidenceSettings { moments: self.moments.unwrap_or(usual.moments), ..usual });
        }
        Ok(run)
    }

    /// Which frames, where `usual` are those of the server.
    fn budget(&self, usual: &FrameBudget) -> FrameBudget {
        match (self.frames, usual.clone()) {
            (Some(frames), _) => FrameBudget::Uniform { frames },
            (None, usual) if !self.chooses_frames() => usual,
            (None, FrameBudget::Fps { fps, max_frames }) => FrameBudget::Fps {
                fps: self.fps.unwrap_or(fps),
                max_frames: self.max_frames.unwrap_or(max_frames),
            },
            (None, _) => {
                let (fps, max_frames) = (self.fps.unwrap_or(1.0), self.max_frames.unwrap_or(128));
                FrameBudget::Fps { fps, max_frames }
            }
        }
    }

    fn check_frames(&self, app: &App) -> ApiResult<()> {
        if self.frames.is_some() && (self.fps.is_some() || self.max_frames.is_some()) {
            let message = "frames, or fps with max_frames; not both";
            return Err(ApiError::bad(message).param("longsight.frames"));
        }
        if self.moments.is_some() && !self.evidence {
            return Err(ApiError::bad("moments are listed with evidence only").param("longsight.moments"));
        }
        app.check_frames(self.frames.or(self.max_frames).unwrap_or(0))
    }
}

/// A number or a word, as the command line would have it.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn parsed<T>(text: &str, setting: Setting) -> ApiResult<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let param = setting.names().json.name().unwrap_or_default();
    let field = param.trim_start_matches("longsight.");
    let shown = |e: T::Err| ApiError::bad(format!("{field}: {}", echo(&e.to_string()))).param(param);
    text.parse().map_err(shown)
}

fn time(clock: Option<&Clock>, setting: Setting) -> ApiResult<Option<MediaTime>> {
    match clock {
        None => Ok(None),
        Some(Clock::Secs(secs)) => parsed(&secs.to_string(), setting).map(Some),
        Some(Clock::Text(text)) => parsed(text, setting).map(Some),
    }
}
