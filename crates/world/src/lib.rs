//! A seeded world of synthetic videos, with ground truth and questions. Start reading at [`make()`].
//!
//! Busy footage (the haystack) is cut together from many sources; cards appear in it for a while: coloured plates with a
//! shape and a number. The way through, one module a step:
//!
//! 1. [`WorldSettings`]: what is to be made.
//! 2. [`VideoScript`]: the plan of one video. Pure; the ground truth is in it.
//! 3. [`Renderer`]: a plan's frames as pictures, in any order; training needs no more.
//! 4. [`encode()`]: pictures to a real video file.
//! 5. [`questions()`]: what is asked about a video, with the right answers.
//! 6. [`make()`]: many videos as a folder, plain or in a benchmark's own layout. [`make_needles()`] is the same for needles.
//!
//! Everything follows from the seed: the same one gives the same times, questions and pixels before coding, with any number
//! of threads. (Pixels hang on the C library's sine in the last bit, and on the version of ffmpeg where ffmpeg draws or
//! codes.)

mod card;
mod draw;
mod encode;
mod error;
mod ffmpeg;
mod files;
mod footage;
mod frame_rate;
mod frame_size;
mod layout;
mod make;
mod names;
mod needle;
mod questions;
mod random;
mod render;
mod script;
mod settings;
mod subtitles;
mod truth;

pub use card::{Card, Colour, Shape, Stage};
pub use draw::Picture;
pub use encode::{Codec, encode};
pub use error::{Result, WorldError};
pub use footage::Footage;
pub use frame_rate::FrameRate;
pub use frame_size::FrameSize;
pub use layout::{Layout, QuestionRow};
pub use longsight_video::Tools;
pub use make::{Progress, Summary, make};
pub use needle::{Needle, NeedleRow, NeedleSettings, make_needles, needles};
pub use questions::{CANDIDATES, Form, Question, QuestionKind, QuestionPlan, questions};
pub use render::Renderer;
pub use script::{Segment, ShownCard, VideoScript};
pub use settings::{MAX_DURATION_SECS, Range, WorldSettings};
pub use truth::Truth;
