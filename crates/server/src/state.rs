//! What all requests share.

use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::uploads::Uploads;
use crate::{ServeError, ServerSettings};
use longsight_engine::{Probed, RunSettings};
use longsight_models::Lmm;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The server.
pub(crate) struct App {
    pub(crate) model: Arc<Lmm>,
    pub(crate) settings: ServerSettings,
    pub(crate) queue: Queue,
    pub(crate) uploads: Uploads,
    pub(crate) metrics: Metrics,
    pub(crate) started_unix_secs: u64,
    next_job: AtomicU64,
    /// Uploads probed lately, by id: an upload never changes.
    probed: Mutex<VecDeque<(String, Probed)>>,
}

/// Uploads whose packets are remembered.
const PROBED: usize = 16;

impl App {
    pub(crate) fn new(model: Arc<Lmm>, settings: ServerSettings) -> Result<Self, ServeError> {
        let limits = &settings.limits;
        let uploads = Uploads::open(&settings.data_folder, limits)?;
        Ok(Self {
            model,
            queue: Queue::new(limits.queue),
            uploads,
            metrics: Metrics::default(),
            started_unix_secs: unix_secs(),
            next_job: AtomicU64::new(1),
            probed: Mutex::default(),
            settings,
        })
    }

    pub(crate) fn next_job(&self) -> u64 {
        self.next_job.fetch_add(1, Ordering::Relaxed)
    }

    /// Reads a video's packets, and refuses what is beyond the limits.
    pub(crate) fn probe(&self, input: &Input, run: &RunSettings) -> ApiResult<Probed> {
        let known = |id: &str| {
            let probed = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
            probed.iter().find(|(known, _)| known == id).map(|(_, video)| video.clone())
        };
        let id = input.upload_id();
        let probed = match id.and_then(known) {
            Some(probed) => Probed { secs: 0.0, ..probed },
            None => Probed::read(&input.source, run)?,
        };
        let most = self.settings.limits.duration_secs;
        if probed.video.duration_secs > most {
            return Err(ApiError::bad(format!(
                "the video takes {:.0} s, more than the {most:.0} s that this server allows",
                probed.video.duration_secs
            ))
            .code("duration_limit"));
        }
        if let Some(id) = id {
            let mut remembered = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
            remembered.retain(|(known, _)| known != id);
            remembered.push_back((id.to_owned(), probed.clone()));
            while remembered.len() > PROBED {
                remembered.pop_front();
            }
        }
        Ok(probed)
    }

    pub(crate) fn check_frames(&self, frames: usize) -> ApiResult<()> {
        let most = self.settings.limits.frames;
        if frames > most {
            let message = format!("{frames} frames are more than the {most} that this server allows");
            return Err(ApiError::bad(message).param("longsight.frames").code("frame_limit"));
        }
        Ok(())
    }
}

/// Seconds since 1970.
pub(crate) fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}
