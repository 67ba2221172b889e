//! What all requests share.

use crate::blocking::Gate;
use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::uploads::Uploads;
use crate::{ServeError, ServerSettings};
use longsight_engine::{Planned, Probed, RunPlan, RunSettings, available_bytes, human_bytes};
use longsight_models::Lmm;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Semaphore;

/// The server.
pub(crate) struct App {
    pub(crate) model: Arc<Lmm>,
    pub(crate) settings: ServerSettings,
    pub(crate) queue: Queue,
    /// Requests that are read and brought to the disk before they wait in the queue.
    pub(crate) preparing: Gate,
    /// Plans, which need no turn of the engine.
    pub(crate) planning: Gate,
    /// Memory that is left for bodies, in bytes.
    pub(crate) body_bytes: Arc<Semaphore>,
    /// Held while a body is parsed.
    pub(crate) parsing: Mutex<()>,
    pub(crate) uploads: Uploads,
    pub(crate) metrics: Metrics,
    pub(crate) started_unix_secs: u64,
    next_job: AtomicU64,
    /// Uploads probed lately, by id: an upload never changes.
    probed: Mutex<VecDeque<(String, Probed)>>,
}

/// Uploads whose packets are remembered.
const PROBED: usize = 16;
/// Plans that are made at once.
const PLANS_AT_ONCE: usize = 2;
/// Bodies of the largest length that are in memory at once; shorter ones are more.
const BODIES_AT_ONCE: usize = 2;

impl App {
    pub(crate) fn new(model: Arc<Lmm>, settings: ServerSettings) -> Result<Self, ServeError> {
        let limits = &settings.limits;
        let uploads = Uploads::open(&settings.data_folder, limits)?;
        Ok(Self {
            model,
            queue: Queue::new(limits.queue),
            preparing: Gate::new(limits.queue.saturating_add(1), 0),
            planning: Gate::new(PLANS_AT_ONCE, limits.queue),
            body_bytes: Arc::new(Semaphore::new(
                limits.body_bytes.saturating_mul(BODIES_AT_ONCE).min(Semaphore::MAX_PERMITS),
            )),
            parsing: Mutex::default(),
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

    /// Refuses a plan beyond the limits.
    pub(crate) fn check_plan(&self, planned: &Planned) -> ApiResult<()> {
        self.check_frames(planned.plan.sample.frames.len())?;
        let earlier = planned.settings.engine.spare_tokens;
        let (tokens, most) = (planned.plan.text_tokens() + earlier, self.settings.limits.text_tokens);
        if tokens > most {
            let message = format!("{tokens} tokens of text are more than the {most} that this server allows");
            return Err(ApiError::too_large(message).param("messages").code("text_limit"));
        }
        Ok(())
    }

    /// Refuses what would take more memory than there is, before it takes any. Weights and program are in memory already.
    pub(crate) fn check_room(&self, plan: &RunPlan) -> ApiResult<()> {
        let memory = &plan.memory;
        let more_bytes = memory.kv_cache_bytes + memory.work_bytes + memory.video_decoder_bytes;
        match available_bytes() {
            Some(free_bytes) if more_bytes > free_bytes => {
                let [more, free] = [more_bytes, free_bytes].map(human_bytes);
                Err(ApiError::no_memory(format!(
                    "this question needs about {more} of memory and the server has {free} left; take fewer frames or a \
                     coarser pooling, or try again later"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// Seconds since 1970.
pub(crate) fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}
