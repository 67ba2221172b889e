//! Arguments of `longsight serve`.

use super::index::IndexFlags;
use super::run::RunArgs;
use crate::units::parse_bytes;
use clap::Args;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// `longsight serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = parse_host)]
    pub host: IpAddr,
    /// Port; 0: any that is free
    #[arg(long, value_name = "N", default_value_t = 8090)]
    pub port: u16,
    /// Key that requests must bear [default: none, on loopback addresses only]
    #[arg(long, value_name = "KEY", env = "LONGSIGHT_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// Listen beyond loopback without a key
    #[arg(long)]
    pub open_without_key: bool,
    /// Folder of uploaded files [default: longsight/uploads in the user's cache folder]
    #[arg(long, value_name = "FOLDER", env = "LONGSIGHT_UPLOADS")]
    pub uploads: Option<PathBuf>,
    /// Host that videos and images may be fetched from; repeat it for several
    #[arg(long, value_name = "HOST[:PORT]")]
    pub allow_host: Vec<String>,
    /// Log as JSON, one object a line
    #[arg(long)]
    pub log_json: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub index: IndexFlags,
    #[command(flatten)]
    pub run: RunArgs,
}

/// What a request may ask for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Largest body of a request, uploads excepted
    #[arg(long, value_name = "BYTES", default_value = "64MiB", value_parser = parse_bytes)]
    pub max_body: u64,
    /// Largest upload
    #[arg(long, value_name = "BYTES", default_value = "20GiB", value_parser = parse_bytes)]
    pub max_upload: u64,
    /// Longest text of a request
    #[arg(long, value_name = "BYTES", default_value = "256KiB", value_parser = parse_bytes)]
    pub max_text: u64,
    /// Most tokens of a prompt besides the visual ones
    #[arg(long, value_name = "N", default_value_t = 131_072)]
    pub max_text_tokens: usize,
    /// All uploads together, with the files of requests at work
    #[arg(long, value_name = "BYTES", default_value = "100GiB", value_parser = parse_bytes)]
    pub max_storage: u64,
    /// Seconds without a byte after which an unfinished upload is removed
    #[arg(long, value_name = "SECS", default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(1..))]
    pub unfinished_secs: u64,
    /// Longest video, in seconds
    #[arg(long, value_name = "SECS", default_value_t = 21_600.0)]
    pub max_duration: f64,
    /// Largest picture of a video or image, in pixels
    #[arg(long, value_name = "N", default_value_t = 8192 * 8192)]
    pub max_pixels: u64,
    /// Most frames of a question
    #[arg(long, value_name = "N", default_value_t = 2048)]
    pub max_question_frames: usize,
    /// Longest answer, in tokens
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub max_answer_tokens: usize,
    /// Questions that wait; further ones are refused (429)
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub max_queue: usize,
    /// Seconds for a request's head, and without a byte of its body or its answer after which it is given up
    #[arg(long, value_name = "SECS", default_value_t = 30)]
    pub idle_secs: u64,
    /// Seconds for a request's body; longer where it comes at 16 KiB a second or more
    #[arg(long, value_name = "SECS", default_value_t = 300)]
    pub body_secs: u64,
    /// Connections at once; one more closes the oldest that has sent no request
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_connections: u64,
    /// Seconds that the question at work is given when the server is stopped
    #[arg(long, value_name = "SECS", default_value_t = 30)]
    pub shutdown_secs: u64,
}

/// An IP address, or the name that always means the same one.
fn parse_host(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        _ => text
            .parse()
            .map_err(|_| "write an IP address: 127.0.0.1, or 0.0.0.0 for all of this machine's".into()),
    }
}
