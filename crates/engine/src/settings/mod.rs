//! A run's settings, resolved: what the command line, the server and the bindings all fill in.

mod check;
mod schema;
mod values;

pub use schema::{Names, Place, Setting};
pub use values::SettingValue;

use crate::dedupe::Dedupe;
use crate::evidence::EvidenceSettings;
use crate::fitting::Fitting;
use longsight_method::{ContextMethod, PoolSpec, Ramp, RopeSettings, Scale};
use longsight_models::processor::{TemplateKind, Turn};
use longsight_models::{KvDtype, ModelInfo};
use longsight_text::TextEncoding;
use longsight_video::{
    DecodeSettings, FrameBudget, ProbeSettings, SampleSettings, SubtitleTrack, VideoInfo, VideoSource,
    linspace_indices,
};
use serde::Serialize;
use std::path::PathBuf;

/// Everything that decides an answer, but the video, the question and the model.
#[derive(Debug, Clone, Default)]
pub struct RunSettings {
    /// Which frames, and how they are read.
    pub video: VideoSettings,
    /// How positions are extended.
    pub context: ContextSettings,
    /// How units are pooled; None takes what is usual for the model.
    pub pool: Option<PoolSpec>,
    /// Which frames re-use the features of a frame before them.
    pub dedupe: Dedupe,
    /// Which template renders the conversation.
    pub template: TemplateKind,
    /// What stands around the question.
    pub prompt: PromptSettings,
    /// Subtitles to put before the question.
    pub subtitles: Option<SubtitleSource>,
    /// How the answer is chosen.
    pub generation: GenerationSettings,
    /// Whether, and how, the moments that an answer rests on are found.
    pub evidence: Option<EvidenceSettings>,
    /// How the work is cut.
    pub engine: EngineSettings,
    /// How the KV cache is stored; None follows the weights.
    pub kv_dtype: Option<KvDtype>,
    /// Refuse runs whose estimated peak is above this.
    pub memory_limit_bytes: Option<u64>,
}

/// Reading of the video.
#[derive(Debug, Clone, Default)]
pub struct VideoSettings {
    /// Limits and rates of the probe.
    pub probe: ProbeSettings,
    /// Which frames.
    pub sample: SampleSettings,
    /// The decoder.
    pub decode: DecodeSettings,
}

/// Where subtitles come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubtitleSource {
    /// A SubRip, WebVTT or ASS file; its encoding is taken from its bytes where that is None.
    File(PathBuf, Option<TextEncoding>),
    /// One of the video's own text streams.
    Embedded(SubtitleTrack),
}

/// What stands around the question, as a benchmark prescribes it. The default is a plain question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PromptSettings {
    /// The system turn; None for the template's own.
    pub system: Option<String>,
    /// What the answer is made to begin with.
    pub answer_prefix: String,
    /// Leaves out what the family's own prompt says of the frames' times: lmms-eval does not write it.
    pub no_time_instruction: bool,
    /// What stands before each frame, one text a frame. The frames are then still images: padded to a square, each
    /// with a newline at its end, the question directly after the last.
    #[serde(serialize_with = "serialize_count")]
    pub interleaved: Option<Vec<String>>,
}

/// A receipt tells how many texts there were; they are the benchmark's.
fn serialize_count<S: serde::Serializer>(
    texts: &Option<Vec<String>>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    texts.as_ref().map(Vec::len).serialize(serializer)
}

/// The context method; None leaves a value to the model's family.
#[derive(Debug, Clone, Default)]
pub struct ContextSettings {
    /// Which method.
    pub method: ContextMethod,
    /// s: from the prompt, or fixed.
    pub scale: Scale,
    /// The training run of visual tokens.
    pub visual_window_tokens: Option<usize>,
    /// The training run of text, for `yarn`.
    pub language_window_tokens: Option<usize>,
    /// Leaves cos and sin unscaled.
    pub attention_factor_off: bool,
    /// Lower end of the ramp, in rotations.
    pub alpha: Option<f64>,
    /// Upper end of the ramp, in rotations.
    pub beta: Option<f64>,
    /// Form of the ramp.
    pub ramp: Ramp,
}

impl ContextSettings {
    /// The settings of the RoPE plan, with the model's own ramp where none is given.
    pub(crate) fn rope(&self, model_ramp: Option<(f64, f64)>) -> RopeSettings {
        let defaults = RopeSettings::default();
        let (alpha, beta) = model_ramp.unwrap_or((defaults.alpha, defaults.beta));
        RopeSettings {
            method: self.method,
            scale: self.scale,
            attention_factor: !self.attention_factor_off,
            alpha: self.alpha.unwrap_or(alpha),
            beta: self.beta.unwrap_or(beta),
            ramp: self.ramp,
        }
    }
}

/// How many of the first token's alternatives are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogprobCount {
    /// The most probable ones.
    Top(usize),
    /// Every row of the head.
    All,
}

/// How tokens are chosen.
#[derive(Debug, Clone, Serialize)]
pub struct GenerationSettings {
    /// Upper limit on the answer.
    pub max_new_tokens: usize,
    /// 0 takes the most probable token; above, tokens are drawn.
    pub temperature: f64,
    /// Draw from the smallest set of tokens that holds this much probability.
    pub top_p: f64,
    /// Seed of the draws.
    pub seed: u64,
    /// Divides (or multiplies) the logits of tokens already in the answer; 1 leaves them.
    pub repetition_penalty: f64,
    /// Go on after an end token, until `max_new_tokens`.
    pub ignore_eos: bool,
    /// Report log-probabilities of the first token.
    #[serde(skip)]
    pub logprobs: Option<LogprobCount>,
}

impl Default for GenerationSettings {
    fn default() -> Self {
        Self {
            max_new_tokens: 256,
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
            repetition_penalty: 1.0,
            ignore_eos: false,
            logprobs: None,
        }
    }
}

/// How the work is cut into pieces. None of it changes an answer by more than rounding.
#[derive(Debug, Clone, Serialize)]
pub struct EngineSettings {
    /// Prompt tokens a prefill step.
    pub chunk_tokens: usize,
    /// Frames a pass of the vision tower.
    pub encode_batch_frames: usize,
    /// Room in the KV cache beyond the first question and its answer (for the turns that follow).
    pub spare_tokens: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self { chunk_tokens: 512, encode_batch_frames: 4, spare_tokens: 0 }
    }
}

impl RunSettings {
    /// How the KV cache of a run with this model is stored.
    pub fn kv_dtype(&self, model: &ModelInfo) -> KvDtype {
        self.kv_dtype.unwrap_or(KvDtype::of_weights(model.dtype))
    }

    /// How the units of a run with this model are pooled.
    pub fn pool_spec(&self, model: &ModelInfo) -> PoolSpec {
        let usual = model.config.vision.as_ref().map(|vision| vision.usual_pool);
        self.pool.or(usual).unwrap_or_default()
    }

    /// Takes the frames and the pooling of a setting that fits a memory limit.
    pub fn apply(&mut self, fitting: &Fitting) {
        self.pool = Some(fitting.pool);
        self.video.sample = with_frames(&self.video.sample, fitting.frames);
    }

    /// A folder of images is sampled already: every image is taken once. For callers whose user chose no frames.
    pub fn take_every_image(&mut self, video: &VideoInfo) {
        if matches!(video.source, VideoSource::Images(_)) {
            let (fps, max_frames) = (self.video.probe.image_fps, video.total_frames);
            self.video.sample.budget = FrameBudget::Fps { fps, max_frames };
        }
    }

    /// Makes room in the KV cache for the turns before a question: their tokens, and the template's around each.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub fn make_room_for(&mut self, earlier: &[Turn], model: &ModelInfo) -> crate::Result<()> {
        const TEMPLATE_TOKENS: usize = 16;
        let said: String = earlier.iter().map(|turn| turn.content.as_str()).collect();
        let tokens = model.tokenizer.encode(&said)?.len() + earlier.len() * TEMPLATE_TOKENS;
        self.engine.spare_tokens = self.engine.spare_tokens.saturating_add(tokens);
        Ok(())
    }
}

/// The same settings with at most `frames` frames: the number itself where it was fixed, else its upper limit.
fn with_frames(sample: &SampleSettings, frames: usize) -> SampleSettings {
    let budget = match &sample.budget {
        FrameBudget::Uniform { .. } => FrameBudget::Uniform { frames },
        FrameBudget::Fps { fps, .. } => FrameBudget::Fps { fps: *fps, max_frames: frames },
        FrameBudget::Indices(all) => {
            FrameBudget::Indices(linspace_indices(all.len(), frames).into_iter().map(|i| all[i]).collect())
        }
    };
    SampleSettings { budget, ..sample.clone() }
}
