//! The `longsight` program: arguments as typed ([`args`]) -> settings as resolved ([`settings`]) -> one module a
//! command ([`commands`]).

#![allow(unreachable_pub)] // a program has no public interface; `pub` marks what a module gives the others

mod args;
mod commands;
mod model;
mod progress;
mod settings;
mod summary;
mod units;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::Args::parse();
    match commands::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // One line: a cause that repeats its effect is left out by the error types themselves.
            let line = format!("{error:#}").replace('\n', " ");
            let _ = writeln!(std::io::stderr(), "longsight: {line}"); // nowhere left to report to
            ExitCode::FAILURE
        }
    }
}

/// Whether the reader of our output has gone (`longsight plan ... | head`).
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
