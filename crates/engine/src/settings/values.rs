//! A run's settings as they are printed.

use super::schema::Setting;
use super::{ContextSettings, EngineSettings, GenerationSettings, LogprobCount, PromptSettings, RunSettings};
use super::{SubtitleSource, VideoSettings};
use crate::evidence::EvidenceSettings;
use longsight_models::KvDtype;
use longsight_video::{FrameBudget, SampleSettings};
use serde_json::{Map, Value, json};

/// A setting with its value; `null` where it is left to the model, or is not used.
pub type SettingValue = (Setting, Value);

impl RunSettings {
    /// Every setting of a run with its value. A field that is added to a part of the settings does not compile before it is
    /// taken here, under a name of the schema.
    pub fn values(&self) -> Vec<SettingValue> {
        let Self {
            video,
            context,
            pool,
            dedupe,
            template,
            prompt,
            subtitles,
            generation,
            evidence,
            engine,
            kv_dtype,
            memory_limit_bytes,
        } = self;
        let mut values = vec![
            (Setting::Pool, json!(pool.map_or("auto".to_owned(), |pool| pool.to_string()))),
            (Setting::Dedupe, json!(dedupe)),
            (Setting::Template, json!(template.to_string())),
            (Setting::KvDtype, json!(kv_dtype.map_or("auto", KvDtype::as_str))),
            (Setting::Memory, json!(memory_limit_bytes)),
        ];
        values.extend(subtitle_values(subtitles.as_ref()));
        values.extend(video_values(video));
        values.extend(context_values(context));
        values.extend(prompt_values(prompt));
        values.extend(generation_values(generation));
        values.extend(evidence_values(evidence.as_ref()));
        values.extend(engine_values(engine));
        values
    }

    /// The settings that decide a benchmark's answers, under the schema's names for manifests.
    pub fn manifest(&self) -> Value {
        let mut manifest = Map::new();
        for (setting, value) in self.values() {
            match setting.names().manifest.name().map(|name| name.split_once('.').ok_or(name)) {
                None => (),
                Some(Err(name)) => drop(manifest.insert(name.to_owned(), value)),
                Some(Ok((group, name))) => {
                    let group = manifest.entry(group).or_insert_with(|| json!({}));
                    group[name] = value;
                }
            }
        }
        Value::Object(manifest)
    }
}

fn subtitle_values(source: Option<&SubtitleSource>) -> [SettingValue; 2] {
    let (name, encoding) = match source {
        None => (Value::Null, None),
        Some(SubtitleSource::File(path, encoding)) => (json!(path.display().to_string()), *encoding),
        Some(SubtitleSource::Embedded(track)) => (json!(track.to_string()), None),
    };
    let encoding = encoding.map(|encoding| encoding.name());
    [(Setting::Subtitles, name), (Setting::SubtitleEncoding, json!(encoding))]
}

fn video_values(settings: &VideoSettings) -> Vec<SettingValue> {
    // Tools, limits and threads change no answer.
    let VideoSettings { probe, sample, decode } = settings;
    let SampleSettings { budget, from, to, strategy: _ } = sample;
    let (frames, fps, max_frames) = match budget {
        FrameBudget::Uniform { frames } => (json!(frames), Value::Null, Value::Null),
        FrameBudget::Fps { fps, max_frames } => (Value::Null, json!(fps), json!(max_frames)),
        FrameBudget::Indices(indices) => (json!(indices.to_vec()), Value::Null, Value::Null),
    };
    vec![
        (Setting::Frames, frames),
        (Setting::Fps, fps),
        (Setting::MaxFrames, max_frames),
        (Setting::From, json!(from)),
        (Setting::To, json!(to)),
        (Setting::ImageFps, json!(probe.image_fps)),
        (Setting::Colour, json!(decode.colour)),
    ]
}

fn context_values(settings: &ContextSettings) -> Vec<SettingValue> {
    let ContextSettings {
        method,
        scale,
        visual_window_tokens,
        language_window_tokens,
        attention_factor_off,
        alpha,
        beta,
        ramp,
    } = settings;
    vec![
        (Setting::Context, json!(method.to_string())),
        (Setting::Scale, json!(scale.to_string())),
        (Setting::VisualWindow, json!(visual_window_tokens)),
        (Setting::LanguageWindow, json!(language_window_tokens)),
        (Setting::AttentionFactor, json!(!attention_factor_off)),
        (Setting::Alpha, json!(alpha)),
        (Setting::Beta, json!(beta)),
        (Setting::Ramp, json!(ramp.to_string())),
    ]
}

fn prompt_values(settings: &PromptSettings) -> Vec<SettingValue> {
    let PromptSettings { system, answer_prefix, no_time_instruction, interleaved } = settings;
    vec![
        (Setting::System, json!(system)),
        (Setting::AnswerPrefix, json!(answer_prefix)),
        (Setting::NoTimeInstruction, json!(no_time_instruction)),
        (Setting::Interleaved, json!(interleaved)),
    ]
}

fn generation_values(settings: &GenerationSettings) -> Vec<SettingValue> {
    let GenerationSettings {
        max_new_tokens,
        temperature,
        top_p,
        seed,
        repetition_penalty,
        ignore_eos,
        logprobs,
    } = settings;
    let logprobs = logprobs.map(|count| match count {
        LogprobCount::Top(count) => json!(count),
        LogprobCount::All => json!("all"),
    });
    vec![
        (Setting::MaxNewTokens, json!(max_new_tokens)),
        (Setting::Temperature, json!(temperature)),
        (Setting::TopP, json!(top_p)),
        (Setting::Seed, json!(seed)),
        (Setting::RepetitionPenalty, json!(repetition_penalty)),
        (Setting::IgnoreEos, json!(ignore_eos)),
        (Setting::Logprobs, json!(logprobs)),
    ]
}

fn evidence_values(settings: Option<&EvidenceSettings>) -> Vec<SettingValue> {
    let [heads, moments, reduction] = match settings {
        None => [Value::Null, Value::Null, Value::Null],
        Some(EvidenceSettings { heads, moments, reduction }) => {
            [json!(heads.to_string()), json!(moments), json!(reduction.name())]
        }
    };
    vec![
        (Setting::Evidence, json!(settings.is_some())),
        (Setting::EvidenceHeads, heads),
        (Setting::Moments, moments),
        (Setting::Reduction, reduction),
    ]
}

fn engine_values(settings: &EngineSettings) -> Vec<SettingValue> {
    let EngineSettings { chunk_tokens, encode_batch_frames, spare_tokens } = settings;
    vec![
        (Setting::ChunkTokens, json!(chunk_tokens)),
        (Setting::EncodeBatch, json!(encode_batch_frames)),
        (Setting::SpareTokens, json!(spare_tokens)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the process, the model and the index; everything else is of a run.
    const NOT_OF_A_RUN: [Setting; 9] = [
        Setting::AllowUrl,
        Setting::Threads,
        Setting::Dtype,
        Setting::VisionDtype,
        Setting::Device,
        Setting::Index,
        Setting::IndexDir,
        Setting::IndexSize,
        Setting::NoIndex,
    ];

    #[test]
    fn every_setting_of_a_run_has_one_value() {
        let values = RunSettings::default().values();
        let mut named: Vec<Setting> = values.iter().map(|(setting, _)| *setting).collect();
        named.extend(NOT_OF_A_RUN);
        named.sort();
        assert_eq!(named, Setting::ALL);
    }

    #[test]
    fn a_manifest_holds_every_setting_that_the_schema_says() {
        let manifest = RunSettings::default().manifest();
        for setting in Setting::ALL {
            let Some(name) = setting.names().manifest.name() else { continue };
            let pointer = format!("/{}", name.replace('.', "/"));
            assert!(manifest.pointer(&pointer).is_some(), "{name}: {manifest}");
        }
    }

    #[test]
    fn names_are_spelt_as_their_places_spell() {
        for setting in Setting::ALL {
            let names = setting.names();
            let words = |text: &str, other: char| text.chars().all(|c| c.is_ascii_lowercase() || c == other);
            assert!(words(names.key, '_'), "{names:?}");
            assert!(names.flag.name().is_none_or(|flag| flag.starts_with("--") && words(&flag[2..], '-')));
            assert!(names.receipt.name().is_none_or(|pointer| pointer.starts_with('/')));
            assert_eq!(Setting::ALL.iter().filter(|other| other.key() == names.key).count(), 1, "{names:?}");
        }
    }
}
