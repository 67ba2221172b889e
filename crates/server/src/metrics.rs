//! Counters, in Prometheus' text format.
//!
//! A dozen numbers in a text format of three rules: not worth a dependency.

use longsight_engine::Answer;
use longsight_engine::index::IndexUse;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// What has happened since the start.
#[derive(Default)]
pub(crate) struct Metrics {
    answered: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    refused: AtomicU64,
    prompt_tokens: AtomicU64,
    generated_tokens: AtomicU64,
    embeddings_read: AtomicU64,
    prefixes_read: AtomicU64,
    kv_cache_bytes: AtomicU64,
    /// Microseconds by stage, in the order of [`STAGES`].
    stage_micros: [AtomicU64; STAGES.len()],
}

const STAGES: [&str; 6] = ["probe", "decode", "preprocess", "vision", "prefill", "generate"];

impl Metrics {
    pub(crate) fn answered(&self, answer: &Answer) {
        let add = |counter: &AtomicU64, more: u64| counter.fetch_add(more, Ordering::Relaxed);
        let receipt = &answer.receipt;
        add(&self.answered, 1);
        add(&self.prompt_tokens, receipt.tokens.prompt as u64);
        add(&self.generated_tokens, receipt.tokens.generated as u64);
        if let Some(index) = &receipt.index {
            add(&self.embeddings_read, u64::from(index.embeddings == IndexUse::Read));
            add(&self.prefixes_read, u64::from(index.kv_prefix == IndexUse::Read));
        }
        self.kv_cache_bytes.store(receipt.kv_cache.bytes as u64, Ordering::Relaxed);
        let t = &receipt.timings;
        let secs = [
            t.probe_secs,
            t.video_decode_secs,
            t.preprocess_secs,
            t.vision_secs,
            t.prefill_secs,
            t.generate_secs,
        ];
        for (counter, secs) in self.stage_micros.iter().zip(secs) {
            add(counter, (secs * 1e6) as u64);
        }
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn cancelled(&self) {
        self.cancelled.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// All of it; `waiting` and `working` are the queue's.
    pub(crate) fn text(&self, (waiting, working): (usize, bool)) -> String {
        let mut text = String::new();
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        family(&mut text, "longsight_questions_total", "counter", "Questions, by outcome");
        for (outcome, counter) in [
            ("answered", &self.answered),
            ("failed", &self.failed),
            ("cancelled", &self.cancelled),
            ("refused", &self.refused),
        ] {
            let _ = writeln!(text, "longsight_questions_total{{outcome=\"{outcome}\"}} {}", of(counter));
        }
        family(
            &mut text,
            "longsight_stage_seconds_total",
            "counter",
            "Seconds of answered questions, by stage",
        );
        for (stage, micros) in STAGES.iter().zip(&self.stage_micros) {
            let secs = of(micros) as f64 / 1e6;
            let _ = writeln!(text, "longsight_stage_seconds_total{{stage=\"{stage}\"}} {secs}");
        }
        family(
            &mut text,
            "longsight_index_reads_total",
            "counter",
            "Questions that the index served, by entry",
        );
        for (kind, counter) in [("embeddings", &self.embeddings_read), ("kv_prefix", &self.prefixes_read)] {
            let _ = writeln!(text, "longsight_index_reads_total{{entry=\"{kind}\"}} {}", of(counter));
        }
        for (name, kind, help, value) in [
            (
                "longsight_prompt_tokens_total",
                "counter",
                "Tokens of prompts, visual ones included",
                of(&self.prompt_tokens),
            ),
            ("longsight_generated_tokens_total", "counter", "Tokens of answers", of(&self.generated_tokens)),
            (
                "longsight_kv_cache_bytes",
                "gauge",
                "Bytes of the last question's KV cache",
                of(&self.kv_cache_bytes),
            ),
            ("longsight_queue_waiting", "gauge", "Questions that wait", waiting as u64),
            ("longsight_queue_working", "gauge", "Questions at work", u64::from(working)),
        ] {
            family(&mut text, name, kind, help);
            let _ = writeln!(text, "{name} {value}");
        }
        text
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
