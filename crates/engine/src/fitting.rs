use crate::settings::Setting;
use crate::text::{Text, text};
use longsight_method::PoolSpec;
use serde::Serialize;

/// A setting that fits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fitting {
    /// Frames.
    pub frames: usize,
    /// Pooling.
    pub pool: PoolSpec,
    /// Its estimated peak.
    pub total_bytes: u64,
    /// What gives it, as flags.
    pub flags: String,
    /// The setting that limits the frames.
    #[serde(skip)]
    pub(crate) limits: Setting,
    /// Whether its pooling is another than asked for.
    #[serde(skip)]
    pub(crate) changes_pool: bool,
    /// A coarser pooling under which more frames fit, with their number.
    pub coarser: Option<(PoolSpec, usize)>,
}

impl Fitting {
    /// The settings that give it, its bytes, and the coarser pooling.
    pub fn text(&self) -> Text {
        let text = self.settings().then(format!(" (about {})", human_bytes(self.total_bytes)).into());
        match self.coarser {
            Some((pool, frames)) => {
                text.then(text![format!(", or {frames} frames with "), Setting::Pool, format!(" {pool}")])
            }
            None => text,
        }
    }

    /// The settings that give it.
    pub(crate) fn settings(&self) -> Text {
        let frames = text![self.limits, format!(" {}", self.frames)];
        match self.changes_pool {
            true => frames.then(text![" ", Setting::Pool, format!(" {}", self.pool)]),
            false => frames,
        }
    }
}

/// Bytes for people: `1.83 GiB`, `640 MiB`.
pub fn human_bytes(bytes: u64) -> String {
    let kib = bytes as f64 / 1024.0;
    match kib {
        kib if kib < 1000.0 => format!("{kib:.0} KiB"),
        kib if kib < 1024.0 * 1024.0 => format!("{:.0} MiB", kib / 1024.0),
        kib => format!("{:.2} GiB", kib / (1024.0 * 1024.0)),
    }
}
