//! Arguments as typed.

pub mod eval;
pub mod index;
pub mod run;
pub mod serve;
pub mod world;

use clap::{Args as ClapArgs, Parser, Subcommand};
use longsight_engine::EvidenceHeads;
use longsight_models::WeightDtype;
use run::{RunArgs, parse_count, weight_dtypes};
use std::path::PathBuf;

/// Puts questions to long videos with open multimodal models, without retraining them.
#[derive(Debug, Parser)]
#[command(name = "longsight", version, propagate_version = true, args_override_self = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands. A flag given twice counts as given last, so that a script's flags can be changed by appending.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Asks one question about a video
    Ask(AskArgs),
    /// Shows what a run would do (frames, tokens, memory, time) without decoding or loading weights
    Plan(PlanArgs),
    /// Holds a conversation about one video, questions from standard input
    Chat(ChatArgs),
    /// Keeps the work on a video for later questions; lists, checks and clears what is kept
    Index(index::IndexArgs),
    /// Serves an OpenAI-compatible API and a web page
    Serve(serve::ServeArgs),
    /// Writes a checkpoint with quantized weights, which loads at once and takes less memory
    Quantize(QuantizeArgs),
    /// Runs and scores benchmarks: Video-MME, MLVU, LongVideoBench, needles
    #[command(subcommand)]
    Eval(eval::EvalCommand),
    /// Makes synthetic videos with ground truth and questions, to test and to train with
    #[command(subcommand)]
    World(world::WorldCommand),
}

/// `longsight ask`.
#[derive(Debug, ClapArgs)]
pub struct AskArgs {
    /// Video file, folder of images, or URL (with --allow-url)
    pub video: String,
    /// The question
    #[arg(required_unless_present_any = ["more_questions", "questions"])]
    pub question: Option<String>,
    /// A further question, answered apart from the others; repeat it for several
    #[arg(short = 'q', long = "question", value_name = "QUESTION")]
    pub more_questions: Vec<String>,
    /// Further questions: a text file, one a line
    #[arg(long, value_name = "FILE")]
    pub questions: Option<PathBuf>,
    /// Earlier turns to go on from: a JSON list of {"role": "user" or "assistant", "content": "..."}
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    #[command(flatten)]
    pub evidence: EvidenceFlags,
    /// Write the answers, their evidence and the receipt as one HTML file; implies --evidence
    #[arg(long, value_name = "FILE", help_heading = "Evidence")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub index: index::IndexFlags,
    #[command(flatten)]
    pub run: RunArgs,
}

/// `longsight plan`.
#[derive(Debug, ClapArgs)]
pub struct PlanArgs {
    /// Video file, folder of images, or URL (with --allow-url)
    pub video: String,
    /// The question, for its tokens
    #[arg(default_value = "")]
    pub question: String,
    #[command(flatten)]
    pub run: RunArgs,
}

/// `longsight chat`.
#[derive(Debug, ClapArgs)]
pub struct ChatArgs {
    /// Video file, folder of images, or URL (with --allow-url); none for a language model alone (a GGUF file)
    pub video: Option<String>,
    /// Room in the KV cache for the turns after the first
    #[arg(long, value_name = "TOKENS", default_value_t = 4096, value_parser = parse_count)]
    pub chat_tokens: usize,
    #[command(flatten)]
    pub evidence: EvidenceFlags,
    #[command(flatten)]
    pub index: index::IndexFlags,
    #[command(flatten)]
    pub run: RunArgs,
}

/// The moments that answers rest on.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Evidence")]
pub struct EvidenceFlags {
    /// List the moments that the answer rests on: attention to the frames, against a neutral question's
    #[arg(long)]
    pub evidence: bool,
    /// How many moments, at most [default: 3]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub moments: Option<usize>,
    /// Whose attention counts: model (the heads that the checkpoint names, else every fourth layer of the second half), all, or
    /// query heads by layer (3.0,3.2) [default: model]
    #[arg(long, value_name = "model|all|LAYER.HEAD,...")]
    pub evidence_heads: Option<EvidenceHeads>,
}

/// `longsight quantize`.
#[derive(Debug, ClapArgs)]
pub struct QuantizeArgs {
    /// Checkpoint: a folder, or ORG/NAME or ORG/NAME@REVISION on the Hugging Face hub
    #[arg(long, env = "LONGSIGHT_MODEL", value_name = "FOLDER|ORG/NAME")]
    pub model: String,
    /// Dtype of the language model's weights
    #[arg(long, value_parser = weight_dtypes())]
    pub dtype: WeightDtype,
    /// Dtype of the vision tower and the projector [default: --dtype where that is a float, else int8]
    #[arg(long, value_parser = weight_dtypes())]
    pub vision_dtype: Option<WeightDtype>,
    /// The new folder
    #[arg(long, short, value_name = "FOLDER")]
    pub output: PathBuf,
    /// Print one JSON object (for programs)
    #[arg(long)]
    pub json: bool,
    /// No progress bar
    #[arg(long, short)]
    pub quiet: bool,
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::CommandFactory;
    use longsight_engine::Setting;
    use std::collections::BTreeSet;

    /// Flags that set nothing of a run: what is asked, and what is done with the answer.
    const NO_SETTINGS: [&str; 9] =
        ["history", "json", "model", "question", "questions", "quiet", "report", "help", "version"];

    /// Long flags of these commands.
    fn flags(commands: &[&str]) -> BTreeSet<String> {
        let mut program = Args::command();
        program.build();
        let of = program.get_subcommands().filter(|command| commands.contains(&command.get_name()));
        of.flat_map(|command| command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)))
            .collect()
    }

    #[test]
    fn the_schema_and_the_commands_have_the_same_flags() {
        let typed = flags(&["ask", "chat"]);
        let mut named: BTreeSet<String> = NO_SETTINGS.iter().map(|flag| (*flag).to_owned()).collect();
        for setting in Setting::ALL {
            if let Some(flag) = setting.names().flag.name() {
                let flag = flag.trim_start_matches("--");
                assert!(typed.contains(flag), "{setting:?}: no command has --{flag}");
                named.insert(flag.to_owned());
            }
        }
        let unnamed: Vec<_> = typed.difference(&named).collect();
        assert!(unnamed.is_empty(), "flags that are not in the schema: {unnamed:?}");
    }
}
