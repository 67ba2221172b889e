//! Where to seek, and what to take instead of a frame that does not decode.

use super::Picture;
use super::command::RunRequest;
use super::damage::{Health, judge};
use super::run::Decoder;
use crate::error::{Result, VideoError};
use crate::time::MediaTime;

/// Containers with an index of keyframes: a seek to a time shortly after a keyframe begins at that keyframe.
const INDEXED_FORMATS: [&str; 3] = ["mov", "matroska", "avi"];
/// For the others, a seek goes to any packet, so it is aimed before the keyframe.
const UNINDEXED_MARGIN_SECS: f64 = 0.5;
/// ffmpeg itself seeks about 0.13 s early where frames are reordered.
const INDEXED_MARGIN_SECS: f64 = 0.3;
/// How much earlier to seek when decoding began too late, in seconds.
const CAUTION_SECS: [f64; 3] = [0.0, 3.0, 30.0];

impl Decoder {
    /// At this caution, decoding begins at the start of the file.
    pub(super) const MOST_CAUTIOUS: usize = CAUTION_SECS.len();

    pub(super) fn is_indexed(&self) -> bool {
        self.info.format.split(',').any(|format| INDEXED_FORMATS.contains(&format))
    }

    /// Where to seek so that decoding begins at a keyframe or not long before it; `None`: from the start.
    pub(super) fn seek_time(&self, keyframe: usize, caution: usize) -> Option<MediaTime> {
        let earlier = *CAUTION_SECS.get(caution)?;
        let times = &self.info.frame_times;
        let time = times[keyframe].secs();
        let next = self.info.keyframes.partition_point(|&other| other <= keyframe);
        let next_time =
            self.info.keyframes.get(next).map_or(self.info.duration_secs, |&index| times[index].secs());
        let margin = if self.is_indexed() && caution == 0 {
            ((next_time - time) / 2.0).clamp(0.0, INDEXED_MARGIN_SECS)
        } else {
            -UNINDEXED_MARGIN_SECS
        };
        let target = time + margin - earlier;
        (target > 0.0).then(|| MediaTime::from_secs(target))
    }
}

/// What to take instead of frames that do not decode.
#[derive(Default)]
pub(super) struct Recovery {
    listed: Option<Listed>,
    last: Option<(usize, Vec<u8>)>,
}

/// A frame that cannot be taken as it comes.
pub(super) struct Failed {
    pub(super) index: usize,
    /// What ffmpeg made of it, if anything.
    pub(super) pixels: Option<Vec<u8>>,
    /// How far before a keyframe to seek.
    pub(super) caution: usize,
}

/// What decodes within a stretch of the video.
struct Listed {
    stretch: Stretch,
    frames: Vec<(usize, Health)>,
    complaints: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Stretch {
    keyframe: Option<usize>,
    last: usize,
}

/// How much nearer in time a frame of this health is to be than a good one, to be taken.
fn handicap(health: Health) -> MediaTime {
    match health {
        Health::Good => MediaTime::ZERO,
        Health::AfterDamage => MediaTime::from_nanos(1_000_000_000),
        Health::AfterLostKeyframe => MediaTime::from_nanos(10_000_000_000),
    }
}

impl Recovery {
    /// The pixels of the frame itself, if it is good; else of the good frame nearest in time, or of one after damage, maybe the
    /// frame itself, that is nearer by its handicap. Looked for between the keyframe before last and the one after next, else
    /// in the whole video.
    pub(super) fn best(&mut self, decoder: &Decoder, mut failed: Failed) -> Result<Picture> {
        let whole = Stretch { keyframe: None, last: decoder.info.total_frames - 1 };
        for stretch in [Stretch::around(decoder, failed.index), whole] {
            self.list(decoder, stretch, failed.caution)?;
            let Some((best, health)) = self.best_listed(decoder, failed.index) else { continue };
            let own = if best == failed.index { failed.pixels.take() } else { None };
            let pixels = match own {
                Some(pixels) => Some(pixels),
                None => self.fetch(decoder, stretch, best, failed.caution)?,
            };
            if let Some(rgb) = pixels {
                let replaced_from = (best != failed.index).then_some(best);
                let is_after_damage = health != Health::Good;
                return Ok(Picture { replaced_from, is_after_damage, ..decoder.picture(rgb) });
            }
        }
        let complaints = self.listed.take().map(|listed| listed.complaints).unwrap_or_default();
        let detail = if complaints.is_empty() { complaints } else { format!(": {complaints}") };
        Err(VideoError::NoDecodableFrame { source_name: decoder.info.source.name(), detail })
    }

    fn list(&mut self, decoder: &Decoder, stretch: Stretch, caution: usize) -> Result<()> {
        if self.listed.as_ref().is_some_and(|listed| listed.stretch == stretch) {
            return Ok(());
        }
        let request = stretch.request(decoder, caution, Vec::new());
        let (mut all, complaints) = decoder.start(&request)?.list()?;
        let order = decoder.order();
        let within = stretch.keyframe.unwrap_or(0)..=stretch.last;
        all.frames.retain(|frame| within.contains(&frame.index));
        let mut frames = judge(&order, &all, None);
        if frames.iter().any(|(_, health)| *health != Health::Good) {
            let request = RunRequest { references_only: true, ..request };
            let (mut references, _) = decoder.start(&request)?.list()?;
            references.frames.retain(|frame| within.contains(&frame.index));
            frames = judge(&order, &all, Some(&references));
        }
        self.listed = Some(Listed { stretch, frames, complaints });
        Ok(())
    }

    /// Of two equally good choices, the nearer frame, and of two equally near ones the earlier.
    fn best_listed(&self, decoder: &Decoder, index: usize) -> Option<(usize, Health)> {
        let times = &decoder.info.frame_times;
        let distance = |other: usize| times[other].saturating_sub(times[index]).nanos().unsigned_abs();
        let cost = |&(other, health): &(usize, Health)| {
            let distance = distance(other);
            (distance.saturating_add(handicap(health).nanos().unsigned_abs()), distance, other)
        };
        self.listed.as_ref()?.frames.iter().copied().min_by_key(cost)
    }

    fn fetch(
        &mut self,
        decoder: &Decoder,
        stretch: Stretch,
        index: usize,
        caution: usize,
    ) -> Result<Option<Vec<u8>>> {
        if let Some((_, rgb)) = self.last.as_ref().filter(|(last, _)| *last == index) {
            return Ok(Some(rgb.clone()));
        }
        let request = stretch.request(decoder, caution, vec![decoder.key_of(index)]);
        let frame = decoder.start(&request)?.next_frame()?;
        self.last = frame.map(|(_, rgb)| (index, rgb));
        Ok(self.last.as_ref().map(|(_, rgb)| rgb.clone()))
    }
}

impl Stretch {
    fn around(decoder: &Decoder, index: usize) -> Self {
        let keyframes = &decoder.info.keyframes;
        let next = keyframes.partition_point(|&keyframe| keyframe <= index);
        let end = decoder.info.total_frames - 1;
        let keyframe =
            next.checked_sub(2).map(|position| keyframes[position]).filter(|&keyframe| keyframe > 0);
        Self {
            keyframe: keyframe.filter(|_| decoder.info.can_seek()),
            last: keyframes.get(next + 1).copied().unwrap_or(end),
        }
    }

    fn request(self, decoder: &Decoder, caution: usize, wanted: Vec<i64>) -> RunRequest {
        RunRequest {
            seek: self.keyframe.and_then(|keyframe| decoder.seek_time(keyframe, caution)),
            key: decoder.key_kind(),
            last: decoder.key_of(self.last),
            wanted,
            references_only: false,
        }
    }
}
