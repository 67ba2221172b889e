//! ffmpeg and ffprobe as child processes: no shell, no standard input, a time limit on every wait, bounded queues,
//! killed when dropped.

use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::{Result, VideoError};

/// A line of standard error beyond this length is cut.
const MAX_LOG_LINE_BYTES: usize = 8 << 10;

/// The programs to run. The default looks both up in `PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// `ffmpeg`.
    pub ffmpeg: PathBuf,
    /// `ffprobe`.
    pub ffprobe: PathBuf,
}

impl Default for Tools {
    fn default() -> Self {
        Self { ffmpeg: "ffmpeg".into(), ffprobe: "ffprobe".into() }
    }
}

impl Tools {
    /// ffmpeg's own name and version: the first line of `ffmpeg -version`.
    ///
    /// # Errors
    /// ffmpeg is missing or cannot be run.
    pub fn version(&self) -> Result<String> {
        let output = Command::new(&self.ffmpeg).arg("-version").stdin(Stdio::null()).output();
        let output = output.map_err(|source| match source.kind() {
            ErrorKind::NotFound => VideoError::ToolMissing { tool: self.ffmpeg.display().to_string() },
            _ => VideoError::Io { what: format!("starting {}", self.ffmpeg.display()), source },
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().next().unwrap_or_default().split(" Copyright").next().unwrap_or_default().to_owned())
    }
}

/// What to start, and whom to name in errors.
pub(crate) struct ToolCommand {
    /// `ffmpeg` or `ffprobe`, for messages.
    pub(crate) tool: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// The video, for messages.
    pub(crate) source_name: String,
}

impl ToolCommand {
    pub(crate) fn ffmpeg(tools: &Tools, source_name: String) -> Self {
        Self { tool: "ffmpeg", program: tools.ffmpeg.clone(), args: Vec::new(), source_name }
    }

    pub(crate) fn ffprobe(tools: &Tools, source_name: String) -> Self {
        Self { tool: "ffprobe", program: tools.ffprobe.clone(), args: Vec::new(), source_name }
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }
}

/// Receives a child's standard error, line by line, on a thread of its own.
pub(crate) trait LogSink: Send + 'static {
    /// One line without its end; cut at [`MAX_LOG_LINE_BYTES`].
    fn line(&mut self, line: &str);
    /// Standard error was closed.
    fn closed(&mut self) {}
}

/// What a child's standard output gives next.
pub(crate) enum NextChunk {
    Chunk(Vec<u8>),
    /// Nothing yet.
    Wait,
    Ended,
}

/// A running child whose standard output arrives in chunks of a fixed size (the last one may be shorter).
pub(crate) struct ToolProcess {
    child: Child,
    chunks: Option<Receiver<std::io::Result<Vec<u8>>>>,
    pumps: Vec<JoinHandle<()>>,
    tool: &'static str,
    source_name: String,
}

impl ToolProcess {
    /// Starts the child. At most `queued_chunks` chunks wait for the reader; the child waits beyond that.
    pub(crate) fn spawn(
        command: ToolCommand,
        chunk_bytes: usize,
        queued_chunks: usize,
        log: impl LogSink,
    ) -> Result<Self> {
        let mut child = Command::new(&command.program)
            .args(&command.args)
            .env("AV_LOG_FORCE_NOCOLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| match source.kind() {
                ErrorKind::NotFound => {
                    VideoError::ToolMissing { tool: command.program.display().to_string() }
                }
                _ => VideoError::Io { what: format!("starting {}", command.program.display()), source },
            })?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (sender, chunks) = sync_channel(queued_chunks);
        let ToolCommand { tool, source_name, .. } = command;
        // From here on the child is stopped whatever happens.
        let mut process = Self { child, chunks: Some(chunks), pumps: Vec::new(), tool, source_name };
        if let Some(stdout) = stdout {
            process.pumps.push(start_pump(move || pump_chunks(stdout, chunk_bytes, &sender))?);
        }
        if let Some(stderr) = stderr {
            process.pumps.push(start_pump(move || pump_lines(stderr, log))?);
        }
        Ok(process)
    }

    /// Waits for the next chunk, at most `limit`. The child runs on if there is none yet.
    pub(crate) fn poll_chunk(&mut self, limit: Duration) -> Result<NextChunk> {
        let Some(chunks) = &self.chunks else { return Ok(NextChunk::Ended) };
        match chunks.recv_timeout(limit) {
            Ok(Ok(chunk)) => Ok(NextChunk::Chunk(chunk)),
            Ok(Err(source)) => Err(VideoError::Io { what: format!("reading from {}", self.tool), source }),
            Err(RecvTimeoutError::Disconnected) => Ok(NextChunk::Ended),
            Err(RecvTimeoutError::Timeout) => Ok(NextChunk::Wait),
        }
    }

    /// A chunk that is there already.
    pub(crate) fn waiting_chunk(&mut self) -> Option<Vec<u8>> {
        self.chunks.as_ref()?.try_recv().ok()?.ok()
    }

    /// Waits for the child to end, at most `limit`, and for its log to be complete.
    pub(crate) fn finish(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.chunks = None;
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.child.try_wait();
            match ended
                .map_err(|source| VideoError::Io { what: format!("waiting for {}", self.tool), source })?
            {
                Some(status) => {
                    self.join_pumps();
                    return Ok(status);
                }
                None if Instant::now() >= deadline => return Err(self.timed_out(limit)),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    pub(crate) fn timed_out(&mut self, limit: Duration) -> VideoError {
        self.stop();
        VideoError::Timeout { source_name: self.source_name.clone(), tool: self.tool, limit }
    }

    /// Kills the child if it still runs and collects it. A second call does nothing.
    fn stop(&mut self) {
        // A child that has already ended is all that can make these fail, and then nothing is left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.chunks = None;
        // The pumps end with their pipes. They are not waited for: a wrapper's own child may hold the pipes open.
        self.pumps.clear();
    }

    fn join_pumps(&mut self) {
        for pump in self.pumps.drain(..) {
            let _ = pump.join();
        }
    }
}

impl Drop for ToolProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start_pump(pump: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let started = std::thread::Builder::new().name("pump".into()).spawn(pump);
    started.map_err(|source| VideoError::NoThread { source })
}

fn pump_chunks(mut stdout: impl Read, chunk_bytes: usize, sender: &SyncSender<std::io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = Vec::with_capacity(chunk_bytes);
        let outcome = (&mut stdout).take(chunk_bytes as u64).read_to_end(&mut chunk);
        let ended = chunk.len() < chunk_bytes;
        let message = match outcome {
            Ok(0) => return,
            Ok(_) => Ok(chunk),
            Err(error) => Err(error),
        };
        if sender.send(message).is_err() || ended {
            return;
        }
    }
}

fn pump_lines(mut stderr: impl Read, mut log: impl LogSink) {
    let mut buffer = vec![0; 16 << 10];
    let mut line = Vec::new();
    loop {
        let count = match stderr.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        for piece in buffer[..count].split_inclusive(|&byte| byte == b'\n' || byte == b'\r') {
            let room = MAX_LOG_LINE_BYTES.saturating_sub(line.len());
            line.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") || piece.ends_with(b"\r") {
                log.line(String::from_utf8_lossy(&line).trim_end());
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        log.line(&String::from_utf8_lossy(&line));
    }
    log.closed();
}

/// What a short run of a tool gave.
pub(crate) struct ToolOutput {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) log: String,
}

/// Runs a tool to its end, with limits on the whole time and on its output.
pub(crate) fn run_to_end(command: ToolCommand, timeout: Duration, max_bytes: usize) -> Result<ToolOutput> {
    let (tool, source_name) = (command.tool, command.source_name.clone());
    let mut stdout = Vec::new();
    let (status, log) = run_streaming(command, timeout, |chunk| {
        if stdout.len() + chunk.len() > max_bytes {
            return Err(VideoError::TooMuchOutput {
                source_name: source_name.clone(),
                tool,
                limit_bytes: max_bytes,
            });
        }
        stdout.extend_from_slice(chunk);
        Ok(())
    })?;
    Ok(ToolOutput { status, stdout, log })
}

/// Runs a tool to its end and hands its output on, chunk by chunk. Returns its status and what it complained about.
pub(crate) fn run_streaming(
    command: ToolCommand,
    timeout: Duration,
    mut on_chunk: impl FnMut(&[u8]) -> Result<()>,
) -> Result<(ExitStatus, String)> {
    let deadline = Instant::now() + timeout;
    let tail = std::sync::Arc::new(std::sync::Mutex::new(LogTail::default()));
    let mut process = ToolProcess::spawn(command, 64 << 10, 4, SharedTail(tail.clone()))?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match process.poll_chunk(left)? {
            NextChunk::Chunk(chunk) => on_chunk(&chunk)?,
            NextChunk::Ended => break,
            NextChunk::Wait => return Err(process.timed_out(timeout)),
        }
    }
    let status = process.finish(Duration::from_secs(10))?;
    let log = tail.lock().map(|tail| tail.summary()).unwrap_or_default();
    Ok((status, log))
}

/// The last few lines of a log, for error messages.
#[derive(Default)]
pub(crate) struct LogTail(std::collections::VecDeque<String>);

impl LogTail {
    const LINES: usize = 6;

    pub(crate) fn push(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        if self.0.len() == Self::LINES {
            self.0.pop_front();
        }
        self.0.push_back(line.trim().chars().take(300).collect());
    }

    /// All lines as one, without the addresses that ffmpeg puts in front of its messages.
    pub(crate) fn summary(&self) -> String {
        let mut parts: Vec<String> = self.0.iter().map(|line| without_address(line)).collect();
        parts.dedup();
        parts.join("; ").chars().filter(|c| !c.is_control()).collect()
    }
}

/// `[mov,mp4 @ 0x55d8] moov atom not found` -> `moov atom not found`.
fn without_address(line: &str) -> String {
    match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((prefix, message)) if prefix.contains(" @ 0x") => message.to_owned(),
        _ => line.to_owned(),
    }
}

struct SharedTail(std::sync::Arc<std::sync::Mutex<LogTail>>);

impl LogSink for SharedTail {
    fn line(&mut self, line: &str) {
        if let Ok(mut tail) = self.0.lock() {
            tail.push(line);
        }
    }
}
