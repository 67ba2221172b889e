//! Arguments of the index and of `longsight index`.

use super::run::RunArgs;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What a run keeps for the next question, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Index")]
pub struct IndexFlags {
    /// What is kept on disk: embeddings (the vision tower is not run again), kv (also the KV cache of the video: nothing of
    /// it is computed again), or off. What is there already is used in any case, but with off [default: embeddings; kv for
    /// `serve`]
    #[arg(long, value_enum, env = "LONGSIGHT_INDEX")]
    pub index: Option<IndexKind>,
    /// The same as --index off, whatever LONGSIGHT_INDEX says
    #[arg(long)]
    pub no_index: bool,
    #[command(flatten)]
    pub place: IndexPlace,
}

/// The index's folder.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Index")]
pub struct IndexPlace {
    /// Folder of the index [default: longsight/index in the user's cache folder]
    #[arg(long, value_name = "FOLDER", env = "LONGSIGHT_INDEX_DIR")]
    pub index_dir: Option<PathBuf>,
    /// Most bytes that it takes; what was used least recently makes room
    #[arg(long, value_name = "BYTES", default_value = "10GiB", env = "LONGSIGHT_INDEX_SIZE",
        value_parser = crate::units::parse_bytes)]
    pub index_size: u64,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IndexKind {
    Embeddings,
    Kv,
    Off,
}

/// `longsight index`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct IndexArgs {
    #[command(subcommand)]
    pub command: Option<IndexCommand>,
    /// Video file or folder of images to index: embeddings and KV cache
    #[arg(required = true)]
    pub video: Option<String>,
    #[command(flatten)]
    pub place: IndexPlace,
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do with the index.
#[derive(Debug, Subcommand)]
pub enum IndexCommand {
    /// Lists the entries, the one used last first
    List(IndexReadArgs),
    /// Shows what an entry was computed from
    Show(IndexEntryArgs),
    /// Removes entries
    Rm(IndexRemoveArgs),
    /// Removes what interrupted runs left, damaged entries, and entries beyond --index-size
    Gc(IndexReadArgs),
    /// Reads every byte and compares checksums
    Verify(IndexReadArgs),
}

/// Flags of commands on the whole index.
#[derive(Debug, Args)]
pub struct IndexReadArgs {
    #[command(flatten)]
    pub place: IndexPlace,
    /// Print one JSON object (for programs)
    #[arg(long)]
    pub json: bool,
}

/// One entry.
#[derive(Debug, Args)]
pub struct IndexEntryArgs {
    /// Name of an entry, or its beginning, or a video
    pub name: String,
    #[command(flatten)]
    pub read: IndexReadArgs,
}

/// Entries to remove.
#[derive(Debug, Args)]
pub struct IndexRemoveArgs {
    /// Names of entries, or their beginnings, or videos
    #[arg(required_unless_present = "all")]
    pub names: Vec<String>,
    /// Every entry
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    #[command(flatten)]
    pub read: IndexReadArgs,
}
