//! A plan's pictures. Drawn footage comes in any order at the same cost; ffmpeg's is quick forwards only.

use crate::draw::{Picture, Sprite, card_sprite};
use crate::footage::{Distractors, Drawn, Generated};
use crate::random::Random;
use crate::script::{Segment, ShownCard, VideoScript};
use crate::{Result, WorldError};
use longsight_video::Tools;
use std::f64::consts::TAU;

/// Draws the frames of one script.
///
/// The pixels follow from the script alone, in whatever order they are asked for (those of ffmpeg's sources also from
/// its version).
pub struct Renderer<'a> {
    script: &'a VideoScript,
    tools: Tools,
    picture: Picture,
    scene: Option<Scene>,
    /// The card drawn last, by its place in the script.
    card: Option<(usize, Sprite)>,
}

/// What is seen in one segment.
struct Scene {
    segment: usize,
    source: Source,
    distractors: Distractors,
    drift: Drift,
}

enum Source {
    Drawn(Box<Drawn>),
    Generated(Option<Generated>),
}

/// Brightness that comes and goes.
struct Drift {
    depth: f64,
    period_secs: f64,
    phase: f64,
}

impl<'a> Renderer<'a> {
    /// `tools` is for ffmpeg's own sources; scripts of drawn footage never call it.
    pub fn new(script: &'a VideoScript, tools: &Tools) -> Self {
        let picture = Picture::new(script.width, script.height);
        Self { script, tools: tools.clone(), picture, scene: None, card: None }
    }

    /// Draws a frame, from 0 on.
    ///
    /// # Errors
    /// The video has no such frame; ffmpeg fails.
    pub fn frame(&mut self, index: u64) -> Result<&Picture> {
        let script = self.script;
        let segments = &script.segments;
        let at = segments.partition_point(|segment| segment.last_frame < index);
        let segment = segments.get(at).ok_or_else(|| {
            WorldError::setting(format!("frame {index}: the video has {} frames", script.frames))
        })?;
        self.paint_segment(at, segment, index - segment.first_frame)?;
        if let Some(card) = script.cards.iter().position(|card| card.shows_in(index)) {
            self.lay_card(card, &script.cards[card]);
        }
        Ok(&self.picture)
    }

    fn paint_segment(&mut self, at: usize, segment: &Segment, frame: u64) -> Result<()> {
        let scene = match self.scene.take() {
            Some(scene) if scene.segment == at => scene,
            _ => Scene::new(at, segment, [self.script.width, self.script.height]),
        };
        let scene = self.scene.insert(scene);
        let secs = self.script.frame_rate.time_secs(frame);
        match &mut scene.source {
            Source::Drawn(drawn) => drawn.paint(secs, &mut self.picture),
            Source::Generated(generated) => {
                let running = match generated.take() {
                    Some(running) if running.next_frame() <= frame => running,
                    _ => {
                        let size = [self.script.width, self.script.height];
                        let look = (segment.footage, segment.seed);
                        Generated::start(&self.tools, look, size, self.script.frame_rate)?
                    }
                };
                let running = generated.insert(running);
                while running.next_frame() <= frame {
                    running.read(&mut self.picture)?;
                }
            }
        }
        self.picture.brighten(scene.drift.gain(secs));
        scene.distractors.lay_over(secs, &mut self.picture);
        Ok(())
    }

    fn lay_card(&mut self, index: usize, shown: &ShownCard) {
        let sprite = match self.card.take() {
            Some((last, sprite)) if last == index => sprite,
            _ => card_sprite(&shown.card, shown.size, shown.tilt_degrees),
        };
        sprite.lay_over(&mut self.picture, shown.centre);
        self.card = Some((index, sprite));
    }
}

impl Scene {
    fn new(at: usize, segment: &Segment, size: [u32; 2]) -> Self {
        let source = if segment.footage.is_generated() {
            Source::Generated(None)
        } else {
            Source::Drawn(Box::new(Drawn::new(segment.footage, segment.seed)))
        };
        let mut random = Random::new(segment.seed, "drift", 0);
        Self {
            segment: at,
            source,
            distractors: Distractors::new(segment.distractors, segment.seed, size),
            drift: Drift {
                depth: random.between(0.05, 0.3),
                period_secs: random.between(3.0, 12.0),
                phase: random.between(0.0, TAU),
            },
        }
    }
}

impl Drift {
    fn gain(&self, secs: f64) -> f64 {
        1.0 + self.depth * (TAU * secs / self.period_secs + self.phase).sin()
    }
}
