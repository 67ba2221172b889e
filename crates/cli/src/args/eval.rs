//! Arguments of `longsight eval`.

use super::run::RunArgs;
use clap::{Args, Subcommand};
use longsight_engine::EvidenceHeads;
use longsight_eval::run::{Filter, Shard};
use longsight_eval::{Profile, PromptKey, Task};
use longsight_method::{ContextMethod, PoolSpec};
use std::path::PathBuf;

/// `longsight eval`: a task to run, or what to do with runs.
#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Runs Video-MME
    #[command(name = "videomme")]
    VideoMme(TaskArgs),
    /// Runs Video-MME with subtitles
    #[command(name = "videomme-subs")]
    VideoMmeSubs(TaskArgs),
    /// Runs MLVU's development set: 7 multiple-choice tasks
    MlvuDev(TaskArgs),
    /// Runs MLVU's test set and writes its submission file
    MlvuTest(TaskArgs),
    /// Runs LongVideoBench, video only
    #[command(name = "longvideobench")]
    LongVideoBench(TaskArgs),
    /// Runs LongVideoBench with frames and subtitles interleaved
    #[command(name = "longvideobench-subs")]
    LongVideoBenchSubs(TaskArgs),
    /// Runs the open-ended questions of a synthetic world (`longsight world make`)
    World(TaskArgs),
    /// Finds cards hidden in haystack footage: frames x depth, as pictures and numbers
    Needle(NeedleArgs),
    /// Measures whether evidence points where the answer is, on a synthetic world
    Evidence(EvidenceArgs),
    /// Runs a task over a grid of frames x context method x pooling, encoding each video once a number of frames
    Sweep(SweepArgs),
    /// Scores responses made elsewhere: our responses.jsonl, lmms-eval sample logs, official result files
    Score(ScoreArgs),
    /// Compares two runs, question by question
    Compare(CompareArgs),
    /// Merges the shards of a run
    Merge(MergeArgs),
    /// Writes the report of one or several runs anew
    Report(ReportArgs),
}

/// `longsight eval evidence`.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// A world of `longsight world make` in the plain layout
    #[arg(long, value_name = "FOLDER")]
    pub data: PathBuf,
    /// Its first N videos
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    pub videos: usize,
    /// Also show which heads point best, one by one and together
    #[arg(long)]
    pub by_head: bool,
    /// Whose attention counts: model, all, or LAYER.HEAD,...
    #[arg(long, value_name = "model|all|LAYER.HEAD,...", default_value_t = EvidenceHeads::Model)]
    pub evidence_heads: EvidenceHeads,
    #[command(flatten)]
    pub run: RunArgs,
}

/// A task's run.
#[derive(Debug, Args)]
pub struct TaskArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Of these, one of several parts, by video: 1/3, 2/3, 3/3
    #[arg(long, value_name = "I/N", help_heading = "Benchmark")]
    pub shard: Option<Shard>,
    /// Ask the samples again whose video failed
    #[arg(long, help_heading = "Benchmark")]
    pub retry_failed: bool,
    #[command(flatten)]
    pub run: RunArgs,
}

/// Which questions, under which protocol, and where the run goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Benchmark")]
pub struct SourceArgs {
    /// The benchmark's folder: annotations, videos and subtitles as it publishes them
    #[arg(long, value_name = "FOLDER")]
    pub data: PathBuf,
    /// Folder of the run; the same command goes on where it was interrupted
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Prompt, extractor and averaging of one version of the public harness [default: the current lmms-eval]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<Profile>,
    /// Words that lmms-eval chooses by the model's name [default: llava_vid for LLaVA-Video, else default]
    #[arg(long, value_name = "NAME")]
    pub prompt_key: Option<PromptKey>,
    /// Only samples with this label (duration=short), video or id; repeat it for several conditions
    #[arg(long, value_name = "KEY=VALUE")]
    pub filter: Vec<Filter>,
    /// The first N of these
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// LongVideoBench's test split, whose answers are hidden
    #[arg(long)]
    pub test_split: bool,
}

/// `longsight eval sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// What to run
    pub task: Task,
    #[command(flatten)]
    pub source: SourceArgs,
    /// Numbers of frames
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', required = true, help_heading = "Grid")]
    pub frame_counts: Vec<usize>,
    /// Context methods
    #[arg(
        long,
        value_name = "METHOD,...",
        value_delimiter = ',',
        default_value = "none,linear,ntk,yarn,vcwe",
        help_heading = "Grid"
    )]
    pub contexts: Vec<ContextMethod>,
    /// Poolings, separated by semicolons
    #[arg(
        long,
        value_name = "POOL;POOL;...",
        value_delimiter = ';',
        default_value = "uniform,2;4,2,8",
        help_heading = "Grid"
    )]
    pub pools: Vec<PoolSpec>,
    /// Do not measure each setting's memory in a process of its own (one video, asked once)
    #[arg(long, help_heading = "Grid")]
    pub no_memory_runs: bool,
    #[command(flatten)]
    pub run: RunArgs,
}

/// `longsight eval needle`.
#[derive(Debug, Args)]
pub struct NeedleArgs {
    /// Folder of the run; the same command goes on where it was interrupted
    #[arg(long, value_name = "FOLDER", help_heading = "Needle")]
    pub out: PathBuf,
    /// A folder made by `longsight world needles` [default: one is made in --out]
    #[arg(long, value_name = "FOLDER", help_heading = "Needle")]
    pub data: Option<PathBuf>,
    /// Lengths of the haystack in frames, one a second (60 is a minute, 7200 two hours); the needle is one more
    #[arg(
        long,
        value_name = "N,N,...",
        value_delimiter = ',',
        default_value = "60,120,240",
        help_heading = "Needle"
    )]
    pub lengths: Vec<usize>,
    /// Depths of the needle, in whole percent of the haystack
    #[arg(
        long,
        value_name = "P,P,...",
        value_delimiter = ',',
        default_value = "0,20,40,60,80,100",
        help_heading = "Needle"
    )]
    pub depths: Vec<u8>,
    /// Seed of the world, where the haystack is made here
    #[arg(long, value_name = "S", default_value_t = 0, conflicts_with = "data", help_heading = "Needle")]
    pub world_seed: u64,
    /// Only teacher-forced scores, no free-form answers
    #[arg(long, help_heading = "Needle")]
    pub no_free_form: bool,
    #[command(flatten)]
    pub run: RunArgs,
}

/// `longsight eval score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// What was asked
    pub task: Task,
    /// The responses
    #[arg(long, value_name = "FILE")]
    pub responses: PathBuf,
    /// The benchmark's folder, where the responses do not hold what scoring needs
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Prompt, extractor and averaging of one version of the public harness [default: the current lmms-eval]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<Profile>,
    /// Print the results as one JSON object (for programs)
    #[arg(long)]
    pub json: bool,
}

/// `longsight eval compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// A run's folder
    pub run_a: PathBuf,
    /// Another run's folder
    pub run_b: PathBuf,
    /// Also write an HTML report of both
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print the comparison as one JSON object (for programs)
    #[arg(long)]
    pub json: bool,
}

/// `longsight eval merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Folders of the shards
    #[arg(required = true)]
    pub shards: Vec<PathBuf>,
    /// Folder of the merged run
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Print the results as one JSON object (for programs)
    #[arg(long)]
    pub json: bool,
}

/// `longsight eval report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folders of runs
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// The HTML file
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}
