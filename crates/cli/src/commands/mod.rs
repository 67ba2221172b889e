//! One module a command.

mod ask;
mod chat;
mod chat_text;
mod eval;
mod index;
mod output;
mod plan;
mod prepare;
mod quantize;
mod questions;
mod serve;
mod world;

use crate::args::{Args, Command};
use anyhow::Result;

/// Runs the command that was typed.
pub fn run(args: Args) -> Result<()> {
    match args.command {
        Command::Ask(args) => ask::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Chat(args) => chat::run(&args),
        Command::Index(args) => index::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Quantize(args) => quantize::run(&args),
        Command::Eval(command) => eval::run(&command),
        Command::World(command) => world::run(&command),
    }
}
