//! ffmpeg as a child process: no shell, its complaints kept, killed when dropped.

use crate::{Result, WorldError};
use longsight_video::Tools;
use std::io::Read;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// A command with what every call needs.
pub(crate) fn ffmpeg_command(tools: &Tools) -> Command {
    let mut command = Command::new(&tools.ffmpeg);
    command.args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y"]).env("AV_LOG_FORCE_NOCOLOR", "1");
    command
}

/// A running ffmpeg.
pub(crate) struct Child {
    child: std::process::Child,
    /// Where it reads, when piped.
    pub(crate) stdin: Option<ChildStdin>,
    /// What it writes, when piped.
    pub(crate) stdout: Option<ChildStdout>,
    complaints: Option<JoinHandle<String>>,
    doing: String,
}

impl Child {
    /// `doing` completes "ffmpeg, ...:" in messages.
    pub(crate) fn start(mut command: Command, doing: String) -> Result<Self> {
        let started = command.stderr(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => WorldError::ffmpeg(
                &doing,
                format!("{} was not found; install ffmpeg", command.get_program().to_string_lossy()),
            ),
            _ => WorldError::ffmpeg(&doing, error),
        })?;
        let complaints = child.stderr.take().map(|mut stderr| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                // Reading on to the end keeps the child from waiting; what is kept is bounded.
                let _ = stderr.by_ref().take(4096).read_to_end(&mut text);
                let _ = std::io::copy(&mut stderr, &mut std::io::sink());
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        Ok(Self { child, stdin, stdout, complaints, doing })
    }

    /// Closes its input and waits for it.
    pub(crate) fn finish(mut self) -> Result<()> {
        drop(self.stdin.take());
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.failed(&status)),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Stops it; the error holds its own words, or `otherwise` where it said nothing.
    pub(crate) fn failed(&mut self, otherwise: &dyn std::fmt::Display) -> WorldError {
        self.stop();
        let said = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
        let message = if lines.is_empty() { otherwise.to_string() } else { lines.join("; ") };
        WorldError::ffmpeg(&self.doing, message)
    }

    fn stop(&mut self) {
        drop(self.stdin.take());
        // Both fail only where the child has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop();
    }
}
