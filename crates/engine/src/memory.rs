//! The largest resident memory of a process and its children, sampled.

use std::path::Path;
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

struct Shared {
    process: u32,
    peak_bytes: AtomicU64,
    stop: AtomicBool,
}

impl PeakMemory {
    /// Starts sampling. Where the system has no `/proc` there is nothing to sample, and [`Self::peak_bytes`] is None.
    pub fn watch() -> Self {
        Self::watch_process(std::process::id())
    }

    /// The same for another process, by its id, and its descendants.
    pub fn watch_process(process: u32) -> Self {
        let shared = Shared { process, peak_bytes: AtomicU64::new(0), stop: AtomicBool::new(false) };
        let shared = Arc::new(shared);
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

    /// The largest sum of resident bytes seen, over the process and its descendants, mapped files included.
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
        // The system's own record of the process also covers what came before the first sample: loading the weights.
        let recorded = status_bytes(self.process, "VmHWM:");
        if let Some(bytes) = whole_tree_bytes(self.process).max(recorded) {
            self.peak_bytes.fetch_max(bytes, Ordering::Relaxed);
        }
    }
}

/// Resident bytes of a process and its descendants; None where `/proc` does not have it.
fn whole_tree_bytes(process: u32) -> Option<u64> {
    tree_bytes(process, &std::fs::read_link(format!("/proc/{process}/exe")).ok()?)
}

/// Resident bytes of a process and its descendants. A child that still runs `program` is between fork and exec: its
/// pages are its parent's, and counting them would double the figure.
fn tree_bytes(process: u32, program: &Path) -> Option<u64> {
    let resident = status_bytes(process, "VmRSS:")?;
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let children =
        tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let of_children: u64 = children
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
        .filter(|child| std::fs::read_link(format!("/proc/{child}/exe")).is_ok_and(|exe| exe != program))
        .filter_map(|child| tree_bytes(child, program))
        .sum();
    Some(resident + of_children)
}

/// A size in `/proc/PROCESS/status`; 0 where the line is missing (a process that is ending).
fn status_bytes(process: u32, key: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = value.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    Some(kib.unwrap_or(0) * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn sees_what_this_process_touches() {
        let us = std::process::id();
        let before = whole_tree_bytes(us).unwrap();
        let touched = std::hint::black_box(vec![1u8; 256 << 20]);
        let during = whole_tree_bytes(us).unwrap();
        drop(touched);
        assert!(during >= before + (200 << 20), "{before} then {during}");
    }

    #[test]
    fn watches_another_process_until_it_ends() {
        let allocate = "x=$(head -c 67108864 /dev/zero | tr '\\0' x); echo ${#x}";
        let mut command = std::process::Command::new("bash");
        let child = command.args(["-c", allocate]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let peak = PeakMemory::watch_process(child.id());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.stdout, b"67108864\n");
        let bytes = peak.peak_bytes().unwrap();
        assert!(bytes >= 64 << 20, "{bytes}");
    }

    #[test]
    fn counts_children_of_another_program_only() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let of_child = |program: &Path| tree_bytes(child.id(), program).unwrap();
        let alone = std::iter::repeat_with(|| of_child(Path::new("/"))).find(|bytes| *bytes > 0).unwrap();
        let cat = std::fs::read_link(format!("/proc/{}/exe", child.id())).unwrap();
        let us = std::process::id();
        let (with, without) = (tree_bytes(us, Path::new("/")).unwrap(), tree_bytes(us, &cat).unwrap());
        assert!(with + (8 << 20) > without + alone, "{with} {without} {alone}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
