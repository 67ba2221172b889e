//! The machine's limits, by one thread and by all: arithmetic a second, and bytes read from memory a second.

use crate::Report;
use crate::machine::Machine;
use crate::spread::Spread;
use crate::table::table;
use anyhow::{Context, Result, ensure};
use clap::Args;
use longsight_kernels::roofline::{Arithmetic, read};
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::path::Path;
use std::sync::Barrier;
use std::time::Instant;

#[derive(Debug, Clone, Args)]
pub(crate) struct RooflineArgs {
    /// Measurements of each limit
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: u16,
    /// Seconds that one measurement of arithmetic takes
    #[arg(long, default_value_t = 0.25)]
    secs: f64,
    /// Memory to read, MiB: much more than the caches hold
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    buffer_mib: u32,
}

/// All limits of a machine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Roofline {
    pub(crate) machine: Machine,
    limits: Vec<Limit>,
}

/// One limit.
#[derive(Debug, Serialize, Deserialize)]
struct Limit {
    /// f32, bf16, int8, int16 or memory_read.
    name: String,
    instructions: String,
    threads: usize,
    /// GFLOP/s, GOP/s (a multiply-add is two) or GB/s; None where the CPU has no instruction for it.
    giga_per_sec: Option<Spread>,
}

const MEMORY: &str = "memory_read";

impl Roofline {
    /// Reads what an earlier run wrote with `--json`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| {
            format!("{} is not what `longsight-bench roofline --json` writes", path.display())
        })
    }

    /// Highest measured Gop/s of all threads together.
    pub(crate) fn peak(&self, arithmetic: Arithmetic) -> Option<f64> {
        self.of_all_threads(arithmetic.name())
    }

    /// Highest measured GB/s of all threads together.
    pub(crate) fn bandwidth(&self) -> Option<f64> {
        self.of_all_threads(MEMORY)
    }

    fn of_all_threads(&self, name: &str) -> Option<f64> {
        let of_name = self.limits.iter().filter(|limit| limit.name == name);
        of_name.max_by_key(|limit| limit.threads)?.giga_per_sec.as_ref().map(|rates| rates.highest)
    }
}

impl Report for Roofline {
    fn markdown(&self) -> String {
        let rows: Vec<_> = self.limits.iter().map(Limit::row).collect();
        let titles = ["limit", "instructions", "threads", "10^9 a second: median (lowest to highest)"];
        format!("{}\n\n{}", self.machine.line(), table(&titles, &rows))
    }
}

impl Limit {
    fn row(&self) -> Vec<String> {
        let rates = self.giga_per_sec.as_ref().map_or("-".to_owned(), Spread::to_string);
        vec![self.name.clone(), self.instructions.clone(), self.threads.to_string(), rates]
    }
}

/// Measures every limit with one thread and with all.
pub(crate) fn measure(settings: &RooflineArgs) -> Result<Roofline> {
    ensure!(settings.secs > 0.0 && settings.secs <= 60.0, "--secs must be above 0 and at most 60");
    let machine = Machine::this();
    let mut counts = vec![1, machine.threads];
    counts.dedup();
    let mut limits = Vec::new();
    for threads in &counts {
        limits.extend(Arithmetic::ALL.map(|arithmetic| arithmetic_limit(arithmetic, *threads, settings)));
    }
    let words = (settings.buffer_mib as usize) << 17;
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(words).context("no memory for the buffer; lower --buffer-mib")?;
    buffer.extend((0..words as u64).map(|i| i ^ 0x5555)); // pages of zeros would be one page
    limits.extend(counts.iter().map(|threads| memory_limit(&buffer, *threads, settings)));
    Ok(Roofline { machine, limits })
}

fn arithmetic_limit(arithmetic: Arithmetic, threads: usize, settings: &RooflineArgs) -> Limit {
    let limit = |instructions: &str, giga_per_sec| Limit {
        name: arithmetic.name().to_owned(),
        instructions: instructions.to_owned(),
        threads,
        giga_per_sec,
    };
    let Some(instructions) = arithmetic.instructions() else { return limit("none on this CPU", None) };
    let steps = steps_for(arithmetic, settings.secs);
    let once = |_| rate(arithmetic, threads, steps) / 1e9;
    limit(instructions, Some(Spread::of((0..settings.repeats).map(once).collect())))
}

/// Operations a second of so many threads together; 0 where the CPU has no instruction for it.
pub(crate) fn rate(arithmetic: Arithmetic, threads: usize, steps: usize) -> f64 {
    together(threads, |_| arithmetic.run(steps).map_or(0.0, |work| black_box(work).operations))
}

/// Steps that take about `secs` on one thread; running them also warms the CPU up.
pub(crate) fn steps_for(arithmetic: Arithmetic, secs: f64) -> usize {
    let mut steps = 1 << 12;
    loop {
        let started = Instant::now();
        black_box(arithmetic.run(steps));
        let took = started.elapsed().as_secs_f64();
        if took >= secs / 4.0 {
            return ((steps as f64 * secs / took) as usize).max(1);
        }
        steps *= 2;
    }
}

fn memory_limit(buffer: &[u64], threads: usize, settings: &RooflineArgs) -> Limit {
    let part = buffer.len().div_ceil(threads);
    let once = || {
        together(threads, |thread| {
            let words = buffer.chunks(part).nth(thread).unwrap_or(&[]);
            black_box(read(words));
            size_of_val(words) as f64
        })
    };
    once(); // the first pass also wakes the threads' cores
    Limit {
        name: MEMORY.to_owned(),
        instructions: format!("sums of {} MiB", settings.buffer_mib),
        threads,
        giga_per_sec: Some(Spread::of((0..settings.repeats).map(|_| once() / 1e9).collect())),
    }
}

/// Runs `work(thread)` on `threads` threads at once; the sum of what they return over the seconds from the first
/// start to the last end.
fn together(threads: usize, work: impl Fn(usize) -> f64 + Sync) -> f64 {
    let barrier = Barrier::new(threads);
    let timed = |thread: usize| {
        barrier.wait();
        let started = Instant::now();
        let done = work(thread);
        (started, Instant::now(), done)
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || timed(thread))).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let first = all.iter().map(|(started, ..)| *started).min();
    let last = all.iter().map(|(_, ended, _)| *ended).max();
    let secs = first.zip(last).map_or(f64::INFINITY, |(first, last)| (last - first).as_secs_f64());
    all.iter().map(|(.., done)| done).sum::<f64>() / secs.max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_measured_with_one_thread_and_all() {
        let settings = RooflineArgs { repeats: 2, secs: 0.002, buffer_mib: 4 };
        let roofline = measure(&settings).unwrap();
        for arithmetic in Arithmetic::ALL {
            let (peak, instructions) = (roofline.peak(arithmetic), arithmetic.instructions());
            assert_eq!(peak.is_some(), instructions.is_some(), "{arithmetic:?}");
            assert!(peak.is_none_or(|peak| peak > 0.01), "{arithmetic:?}: {peak:?}");
        }
        assert!(roofline.bandwidth().unwrap() > 0.01);
        let threads: Vec<_> = roofline.limits.iter().map(|limit| limit.threads).collect();
        assert!(threads.contains(&1) && threads.contains(&longsight_kernels::threads()));
        assert!(roofline.markdown().contains("memory_read"));
    }

    #[test]
    fn threads_work_at_once_and_their_work_is_added() {
        let wait = std::time::Duration::from_millis(50);
        let rate = together(4, |_| {
            std::thread::sleep(wait);
            1.0
        });
        // One after the other would be 20 a second.
        assert!(rate > 25.0 && rate <= 4.0 / wait.as_secs_f64(), "{rate}");
    }

    #[test]
    fn another_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.json");
        std::fs::write(&file, "{}").unwrap();
        assert!(Roofline::read(&file).unwrap_err().to_string().contains("x.json"));
    }
}
