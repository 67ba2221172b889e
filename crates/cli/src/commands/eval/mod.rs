//! `longsight eval`: one module a kind of work.

mod evidence;
mod needle;
mod prepare;
mod score;
mod sweep;
mod task;
mod watch;

use crate::args::eval::EvalCommand;
use anyhow::Result;
use longsight_eval::Task;

/// Runs the command that was typed.
pub fn run(command: &EvalCommand) -> Result<()> {
    match command {
        EvalCommand::VideoMme(args) => task::run(Task::VideoMme, args),
        EvalCommand::VideoMmeSubs(args) => task::run(Task::VideoMmeSubs, args),
        EvalCommand::MlvuDev(args) => task::run(Task::MlvuDev, args),
        EvalCommand::MlvuTest(args) => task::run(Task::MlvuTest, args),
        EvalCommand::LongVideoBench(args) => task::run(Task::LongVideoBench, args),
        EvalCommand::LongVideoBenchSubs(args) => task::run(Task::LongVideoBenchSubs, args),
        EvalCommand::World(args) => task::run(Task::World, args),
        EvalCommand::Needle(args) => needle::run(args),
        EvalCommand::Evidence(args) => evidence::run(args),
        EvalCommand::Sweep(args) => sweep::run(args),
        EvalCommand::Score(args) => score::score(args),
        EvalCommand::Compare(args) => score::compare(args),
        EvalCommand::Merge(args) => score::merge(args),
        EvalCommand::Report(args) => score::report(args),
    }
}
