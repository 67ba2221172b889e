//! The largest resident memory of this process and its children, sampled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two samples.
const INTERVAL: Duration = Duration::from_millis(25);

/// Samples resident memory in a thread until it is dropped.
pub struct PeakMemory {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    peak_bytes: AtomicU64,
    stop: AtomicBool,
}

impl PeakMemory {
    /// Starts sampling. Where the system has no `/proc` there is nothing to sample, and [`Self::peak_bytes`] is None.
    pub fn watch() -> Self {
        let shared = Arc::new(Shared::default());
        let inside = Arc::clone(&shared);
        let sampling = move || {
            while !inside.stop.load(Ordering::Relaxed) {
                inside.sample();
                std::thread::park_timeout(INTERVAL);
            }
        };
        // Without the thread there is no figure; that is no reason to fail a run.
        let thread = std::thread::Builder::new().name("peak-memory".into()).spawn(sampling).ok();
        Self { shared, thread }
    }

    /// The largest sum of resident bytes seen, over this process and its descendants, mapped files included.
    pub fn peak_bytes(&self) -> Option<u64> {
        self.shared.sample();
        Some(self.shared.peak_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}

impl Drop for PeakMemory {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It ends within one sample; a panic in it would have no one to tell.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn sample(&self) {
        if let Some(bytes) = tree_bytes(std::process::id()) {
            self.peak_bytes.fetch_max(bytes, Ordering::Relaxed);
        }
    }
}

/// Resident bytes of a process and its descendants; None where `/proc` is not to be had.
fn tree_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .map_or(0, |rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024);
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let children =
        tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let of_children: u64 = children
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
        .filter_map(tree_bytes)
        .sum();
    Some(resident + of_children)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn sees_what_this_process_touches() {
        let before = tree_bytes(std::process::id()).unwrap();
        let touched = std::hint::black_box(vec![1u8; 64 << 20]);
        let during = tree_bytes(std::process::id()).unwrap();
        drop(touched);
        assert!(during >= before + (60 << 20), "{before} then {during}");
    }

    #[test]
    fn counts_children() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let of_child =
            std::iter::repeat_with(|| tree_bytes(child.id()).unwrap()).find(|bytes| *bytes > 0).unwrap();
        assert!(tree_bytes(std::process::id()).unwrap() > of_child);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
