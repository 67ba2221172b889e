//! Arguments as typed -> settings as resolved.

use crate::args::EvidenceFlags;
use crate::args::index::{IndexFlags, IndexKind, IndexPlace};
use crate::args::run::{DeviceKind, KvKind, RunArgs, Switch, VideoArgs};
use anyhow::{Context, Result, ensure};
use longsight_engine::{
    ContextSettings, EngineError, EngineSettings, EvidenceSettings, GenerationSettings, Index, IndexContents,
    RunSettings, StoreSettings, SubtitleSource, VideoSettings,
};
use longsight_hub::HubSettings;
use longsight_method::Ramp;
use longsight_models::{Device, KvDtype, LoadSettings};
use longsight_text::shown;
use longsight_video::{DecodeSettings, FrameBudget, ProbeSettings, SampleSettings, VideoSource};

/// Everything but the video and the question.
#[derive(Clone)]
pub struct Resolved {
    /// The engine's settings.
    pub run: RunSettings,
    /// Where to compute, and what the weights become.
    pub load: LoadSettings,
}

/// Resolves the shared flags and sets the number of threads.
pub fn resolve(args: &RunArgs) -> Result<Resolved> {
    set_threads(args.engine.threads)?;
    let run = RunSettings { subtitles: subtitles(&args.video)?, ..run_settings(args) };
    run.check()?;
    let device = device(args.model.device)?;
    run.check_device(&device)?;
    let (dtype, vision_dtype) = (args.model.dtype, args.model.vision_dtype);
    let load = LoadSettings { device, dtype, vision_dtype, ..LoadSettings::default() };
    Ok(Resolved { run, load })
}

/// Refuses what would be computed and not be shown.
pub fn check_shown(args: &RunArgs) -> Result<()> {
    ensure!(args.json || args.generation.logprobs.is_none(), "--logprobs is shown with --json only");
    Ok(())
}

/// Evidence as asked for; `wanted` by another flag too.
pub fn evidence(args: &EvidenceFlags, wanted: bool) -> Result<Option<EvidenceSettings>> {
    if !args.evidence && !wanted {
        ensure!(args.moments.is_none(), "--moments lists nothing without --evidence");
        ensure!(args.evidence_heads.is_none(), "--evidence-heads points at nothing without --evidence");
        return Ok(None);
    }
    let usual = EvidenceSettings::default();
    let moments = args.moments.unwrap_or(usual.moments);
    let heads = args.evidence_heads.clone().unwrap_or(usual.heads);
    Ok(Some(EvidenceSettings { heads, moments, reduction: usual.reduction }))
}

/// The index, unless it is off.
pub fn index(args: &IndexFlags, usual: IndexKind) -> Option<Index> {
    let contents = match args.index.unwrap_or(usual) {
        IndexKind::Off => return None,
        _ if args.no_index => return None,
        IndexKind::Embeddings => IndexContents::Embeddings,
        IndexKind::Kv => IndexContents::Kv,
    };
    Some(Index::new(index_place(&args.place), contents))
}

/// Where the index is.
pub fn index_place(args: &IndexPlace) -> StoreSettings {
    let usual = || HubSettings::from_env().own_cache_dir.join("index");
    StoreSettings { folder: args.index_dir.clone().unwrap_or_else(usual), limit_bytes: args.index_size }
}

/// What the user typed as the video.
pub fn source(video: &str, args: &RunArgs) -> Result<VideoSource> {
    Ok(VideoSource::parse(video, args.video.allow_url).map_err(EngineError::from)?)
}

/// Whether the user chose frames; a folder of images is taken whole otherwise.
pub fn chooses_frames(args: &RunArgs) -> bool {
    args.video.frames.is_some() || args.video.fps.is_some() || args.video.max_frames.is_some()
}

fn run_settings(args: &RunArgs) -> RunSettings {
    let (video, method, generation) = (&args.video, &args.method, &args.generation);
    let defaults = GenerationSettings::default();
    let budget = match (video.frames, FrameBudget::default()) {
        (Some(frames), _) => FrameBudget::Uniform { frames },
        (None, FrameBudget::Fps { fps, max_frames }) => FrameBudget::Fps {
            fps: video.fps.unwrap_or(fps),
            max_frames: video.max_frames.unwrap_or(max_frames),
        },
        (None, other) => other,
    };
    RunSettings {
        video: VideoSettings {
            probe: ProbeSettings { image_fps: video.image_fps, ..Default::default() },
            sample: SampleSettings { budget, from: video.from, to: video.to, strategy: None },
            decode: DecodeSettings {
                colour: video.colour,
                threads: args.engine.threads.unwrap_or(0),
                ..Default::default()
            },
        },
        context: ContextSettings {
            method: method.context,
            scale: method.scale,
            visual_window_tokens: method.visual_window,
            language_window_tokens: method.language_window,
            attention_factor_off: method.attention_factor == Switch::Off,
            alpha: method.alpha,
            beta: method.beta,
            ramp: Ramp::default(), // papers differ in it, checkpoints do not
        },
        pool: method.pool,
        dedupe: method.dedupe,
        template: args.model.template,
        prompt: Default::default(),
        evidence: None,
        subtitles: None,
        generation: GenerationSettings {
            max_new_tokens: generation.max_new_tokens.unwrap_or(defaults.max_new_tokens),
            temperature: generation.temperature,
            top_p: generation.top_p,
            seed: generation.seed,
            repetition_penalty: generation.repetition_penalty,
            ignore_eos: generation.ignore_eos,
            logprobs: generation.logprobs,
        },
        engine: EngineSettings {
            chunk_tokens: args.engine.chunk_tokens,
            encode_batch_frames: args.engine.encode_batch,
            spare_tokens: 0,
        },
        kv_dtype: kv_dtype(args.engine.kv_dtype),
        memory_limit_bytes: args.engine.memory,
    }
}

/// A file named `embedded` is `./embedded`.
fn subtitles(args: &VideoArgs) -> Result<Option<SubtitleSource>> {
    let Some(name) = &args.subtitles else { return Ok(None) };
    let track = match name.strip_prefix("embedded") {
        Some("") => Some(""),
        Some(rest) => rest.strip_prefix(':'),
        None => None,
    };
    let Some(track) = track else {
        return Ok(Some(SubtitleSource::File(name.into(), args.subtitle_encoding)));
    };
    ensure!(
        args.subtitle_encoding.is_none(),
        "--subtitle-encoding is for subtitle files, not for --subtitles {name}"
    );
    let track = track.parse().map_err(|error| anyhow::anyhow!("--subtitles {}: {error}", shown(name)))?;
    Ok(Some(SubtitleSource::Embedded(track)))
}

fn set_threads(threads: Option<usize>) -> Result<()> {
    ensure!(threads.is_none_or(|n| (1..=1024).contains(&n)), "--threads must be between 1 and 1024");
    // Here, where what the system lacks is an error; left to the first kernel, it would be a panic. 0: one a core.
    let started = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build_global();
    started
        .context("cannot start threads: lower --threads, or allow this program more memory or more processes")
}

/// None follows the weights.
fn kv_dtype(kind: KvKind) -> Option<KvDtype> {
    match kind {
        KvKind::Auto => None,
        KvKind::F32 => Some(KvDtype::F32),
        KvKind::F16 => Some(KvDtype::F16),
        KvKind::Bf16 => Some(KvDtype::Bf16),
        KvKind::Q8 => Some(KvDtype::Q8),
    }
}

fn device(kind: DeviceKind) -> Result<Device> {
    match kind {
        DeviceKind::Cpu => Ok(Device::Cpu),
        DeviceKind::Cuda => {
            Device::new_cuda(0).map_err(|e| anyhow::anyhow!("--device cuda: {}", device_error(&e, "cuda")))
        }
        DeviceKind::Metal => {
            Device::new_metal(0).map_err(|e| anyhow::anyhow!("--device metal: {}", device_error(&e, "metal")))
        }
    }
}

fn device_error(error: &longsight_models::TensorError, feature: &str) -> String {
    let text = error.to_string();
    if text.contains("not compiled") || text.contains("feature") || text.contains("built") {
        return format!(
            "this program was built without it; build with --features {feature}, or use --device cpu"
        );
    }
    text.lines().next().unwrap_or("not available").to_owned()
}
