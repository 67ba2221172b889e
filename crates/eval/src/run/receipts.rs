//! Receipts as lines of a run's log.

use crate::run::manifest::hex;
use crate::{EvalError, Result};
use longsight_engine::Answer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// SHA-256 of the receipt without what differs between two runs of the same (times, memory, size and contents of the cache,
/// where the video lies, warnings, which are about the longest of the questions that shared the video), and the line
/// for `receipts.jsonl` with all of it.
pub(crate) fn digest_receipt(id: &str, answer: &Answer) -> Result<(String, Value)> {
    let broken = |e: serde_json::Error| EvalError::Setting(format!("receipt: {e}"));
    let whole = serde_json::to_value(&answer.receipt).map_err(broken)?;
    let mut lasting = whole.clone();
    if let Some(map) = lasting.as_object_mut() {
        for name in
            ["timings", "peak_bytes", "threads", "memory_estimate", "memory_estimate_total_bytes", "warnings"]
        {
            map.remove(name);
        }
    }
    for (part, name) in
        [("tokens", "reused"), ("video", "source"), ("kv_cache", "capacity_tokens"), ("kv_cache", "bytes")]
    {
        if let Some(map) = lasting.get_mut(part).and_then(Value::as_object_mut) {
            map.remove(name);
        }
    }
    let digest = hex(&Sha256::digest(serde_json::to_vec(&lasting).map_err(broken)?));
    let line = json!({ "id": id, "digest": digest, "receipt": whole });
    Ok((digest, line))
}
