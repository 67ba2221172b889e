//! The planned runs, one after the other.

use std::vec::IntoIter;

use super::command::{Dialect, FrameKey, RunRequest};
use super::damage::FrameOrder;
use super::recover::{Failed, Recovery};
use super::run::{Decoder, Run};
use super::{DecodeSettings, Picture};
use crate::error::Result;
use crate::probe::{VideoInfo, VideoStream};
use crate::sample::{DecodeRun, SamplePlan};

pub(super) struct VideoPictures {
    decoder: Decoder,
    runs: IntoIter<DecodeRun>,
    current: Option<Current>,
    /// A frame that was decoded, but is not yet asked for.
    ahead: Option<Decoded>,
    /// How far before a keyframe to seek, learnt from runs that began too late.
    caution: usize,
    recovery: Recovery,
}

struct Current {
    plan: DecodeRun,
    run: Run,
    landed: bool,
}

struct Decoded {
    index: usize,
    damaged: bool,
    rgb: Vec<u8>,
}

impl VideoPictures {
    pub(super) fn open(
        info: &VideoInfo,
        stream: &VideoStream,
        plan: &SamplePlan,
        settings: &DecodeSettings,
    ) -> Result<Self> {
        let dialect = Dialect::detect(&settings.tools, settings)?;
        let decoder =
            Decoder { info: info.clone(), stream: stream.clone(), settings: settings.clone(), dialect };
        let runs = plan.runs.clone().into_iter();
        Ok(Self { decoder, runs, current: None, ahead: None, caution: 0, recovery: Recovery::default() })
    }

    /// The pixels of a frame. Indices must come in the order of the plan.
    pub(super) fn picture(&mut self, index: usize) -> Result<Picture> {
        while let Some(decoded) = self.peek(index)? {
            match decoded.index.cmp(&index) {
                // A frame that is output twice has been taken already.
                std::cmp::Ordering::Less => self.ahead = None,
                std::cmp::Ordering::Greater => break,
                std::cmp::Ordering::Equal => break,
            }
        }
        let decoded = self.ahead.take_if(|decoded| decoded.index == index);
        let pixels = match decoded {
            Some(decoded) if !decoded.damaged => return Ok(self.decoder.picture(decoded.rgb)),
            decoded => decoded.map(|decoded| decoded.rgb),
        };
        self.recovery.best(&self.decoder, Failed { index, pixels, caution: self.caution })
    }

    /// Decodes on, in the run that holds `index`, until there is a frame to look at.
    fn peek(&mut self, index: usize) -> Result<Option<&Decoded>> {
        if self.ahead.is_none() {
            self.ahead = self.decode_next(index)?;
        }
        Ok(self.ahead.as_ref())
    }

    fn decode_next(&mut self, index: usize) -> Result<Option<Decoded>> {
        while self.current.as_ref().is_none_or(|current| current.plan.indices.last() < Some(&index)) {
            self.current = None;
            let Some(plan) = self.runs.next() else { return Ok(None) };
            if self.decoder.is_indexed() {
                // There, only a damaged keyframe makes a run begin late.
                self.caution = 0;
            }
            self.current = Some(self.decoder.begin(plan, self.caution)?);
        }
        loop {
            let Some(current) = &mut self.current else { return Ok(None) };
            let frame = current.run.next_frame()?;
            if !current.landed {
                if self.decoder.began_late(&current.plan, &current.run)
                    && self.caution < Decoder::MOST_CAUTIOUS
                {
                    self.caution += 1;
                    let plan = current.plan.clone();
                    self.current = None;
                    self.current = Some(self.decoder.begin(plan, self.caution)?);
                    continue;
                }
                current.landed = true;
            }
            return Ok(frame.and_then(|(logged, rgb)| {
                let index = self.decoder.index_of(logged.key)?;
                Some(Decoded { index, damaged: logged.damaged, rgb })
            }));
        }
    }
}

impl Decoder {
    fn begin(&self, plan: DecodeRun, caution: usize) -> Result<Current> {
        let wanted: Vec<i64> = plan.indices.iter().map(|&index| self.key_of(index)).collect();
        let run = self.start(&RunRequest {
            seek: plan.keyframe.and_then(|keyframe| self.seek_time(keyframe, caution)),
            key: self.key_kind(),
            last: plan.indices.last().map_or(0, |&last| self.key_of(self.order().settled_by(last))),
            wanted,
            references_only: false,
        })?;
        Ok(Current { plan, run, landed: false })
    }

    /// Decoding that begins after the run's keyframe may lack references: its frames are not to be trusted.
    fn began_late(&self, plan: &DecodeRun, run: &Run) -> bool {
        let Some(keyframe) = plan.keyframe else { return false };
        run.first_key().is_none_or(|first| first > self.key_of(keyframe))
    }

    pub(super) fn picture(&self, rgb: Vec<u8>) -> Picture {
        let (width, height) = (self.info.width, self.info.height);
        Picture { replaced_from: None, is_after_damage: false, width, height, rgb }
    }

    pub(super) fn order(&self) -> FrameOrder {
        FrameOrder {
            times: self.info.frame_times.clone(),
            keyframes: self.info.keyframes.clone(),
            decode_order: self.stream.decode_order.clone(),
        }
    }

    pub(super) fn key_kind(&self) -> FrameKey {
        if self.stream.ticks.is_some() { FrameKey::Ticks } else { FrameKey::Count }
    }

    pub(super) fn key_of(&self, index: usize) -> i64 {
        match &self.stream.ticks {
            Some(ticks) => ticks[index],
            None => index as i64,
        }
    }

    pub(super) fn index_of(&self, key: i64) -> Option<usize> {
        match &self.stream.ticks {
            Some(ticks) => ticks.binary_search(&key).ok(),
            None => usize::try_from(key).ok().filter(|&index| index < self.info.total_frames),
        }
    }
}
