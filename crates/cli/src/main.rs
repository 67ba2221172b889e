//! The `longsight` program: arguments as typed ([`args`]) -> settings as resolved ([`settings`]) -> one module a
//! command ([`commands`]).

#![allow(unreachable_pub)] // a program has no public interface; `pub` marks what a module gives the others

mod args;
mod commands;
mod interrupt;
mod model;
mod out;
mod progress;
mod settings;
mod summary;
mod units;
mod words;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory, FromArgMatches};
use out::note;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: longsight_kernels::HugePages = longsight_kernels::HugePages;

/// Exit status of arguments that cannot be understood.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    longsight_kernels::return_large_blocks();
    longsight_kernels::fail_writes_past_size_limit();
    let args = match parse() {
        Ok(args) => args,
        Err(error) => return refuse_arguments(&error),
    };
    match commands::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Result<args::Args, clap::Error> {
    let mut command = without_empty_variables(args::Args::command());
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    args::Args::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// A variable of the environment that is set to nothing counts as not set.
fn without_empty_variables(command: Command) -> Command {
    let is_empty = |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|arg| if is_empty(&arg) { arg.env(Resettable::Reset) } else { arg });
    command.mut_subcommands(without_empty_variables)
}

/// The error and its causes, without those that it already tells.
fn with_causes(error: &anyhow::Error) -> String {
    error.chain().map(words::error).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
}

/// Help and version as clap prints them; what is wrong with an argument in one line.
fn refuse_arguments(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print(); // a closed pipe is no failure
        return if error.use_stderr() { USAGE.into() } else { ExitCode::SUCCESS };
    }
    let text = words::without_long_inputs(error.to_string());
    let what = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
    let lines: Vec<&str> = what.lines().map(str::trim).collect();
    complain(&format!("{} (see --help)", lines.join(" ")));
    USAGE.into()
}

/// One line on standard error.
fn complain(message: &str) {
    note(&format!("longsight: {}", words::line(message)));
}

/// Whether the reader of our output has gone (`longsight plan ... | head`).
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
