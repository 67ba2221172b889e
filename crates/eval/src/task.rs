//! What can be run: tasks, and the profiles under which their numbers were published.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A benchmark, whatever its splits and variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Benchmark {
    /// Video-MME.
    VideoMme,
    /// MLVU.
    Mlvu,
    /// LongVideoBench.
    LongVideoBench,
    /// Synthetic videos made by `longsight world make`.
    World,
}

/// A benchmark's task, as it is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Video-MME without subtitles.
    #[serde(rename = "videomme")]
    VideoMme,
    /// Video-MME with subtitles.
    #[serde(rename = "videomme-subs")]
    VideoMmeSubs,
    /// MLVU, development set: 7 multiple-choice tasks.
    MlvuDev,
    /// MLVU, test set: 9 tasks; official answers are hidden, so a submission file is written.
    MlvuTest,
    /// LongVideoBench, video only.
    #[serde(rename = "longvideobench")]
    LongVideoBench,
    /// LongVideoBench, frames and subtitles interleaved.
    #[serde(rename = "longvideobench-subs")]
    LongVideoBenchSubs,
    /// The open-ended questions of a synthetic world.
    World,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::VideoMme,
        Self::VideoMmeSubs,
        Self::MlvuDev,
        Self::MlvuTest,
        Self::LongVideoBench,
        Self::LongVideoBenchSubs,
        Self::World,
    ];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::VideoMme => "videomme",
            Self::VideoMmeSubs => "videomme-subs",
            Self::MlvuDev => "mlvu-dev",
            Self::MlvuTest => "mlvu-test",
            Self::LongVideoBench => "longvideobench",
            Self::LongVideoBenchSubs => "longvideobench-subs",
            Self::World => "world",
        }
    }

    /// Its benchmark.
    pub fn benchmark(self) -> Benchmark {
        match self {
            Self::VideoMme | Self::VideoMmeSubs => Benchmark::VideoMme,
            Self::MlvuDev | Self::MlvuTest => Benchmark::Mlvu,
            Self::LongVideoBench | Self::LongVideoBenchSubs => Benchmark::LongVideoBench,
            Self::World => Benchmark::World,
        }
    }

    /// The profile of the current lmms-eval.
    pub fn default_profile(self) -> Profile {
        match self.benchmark() {
            Benchmark::VideoMme => Profile::VideoMme,
            Benchmark::Mlvu => Profile::Mlvu,
            Benchmark::LongVideoBench => Profile::Lvb,
            Benchmark::World => Profile::World,
        }
    }

    /// Longest answer in tokens under lmms-eval; of a world, room for a description of ten cards.
    pub fn max_new_tokens(self) -> usize {
        match self.benchmark() {
            Benchmark::VideoMme | Benchmark::Mlvu => 16,
            Benchmark::LongVideoBench => 32,
            Benchmark::World => 256,
        }
    }

    /// Frames a video unless the user asks for others: 16 interleaved images, else lmms-eval's 32.
    pub fn default_frames(self) -> usize {
        if self == Self::LongVideoBenchSubs { 16 } else { 32 }
    }
}

/// How letters are read off a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extractor {
    /// E1: lmms-eval's shared multiple-choice extractor, letters A to D.
    Mcq,
    /// E2 with the prefixes of lmms-eval's older Video-MME task.
    LetterLegacy,
    /// E2 with the prefixes of Video-MME's own script.
    LetterOfficial,
    /// E2 with the prefixes of LongVideoBench, letters A to E.
    LetterLvb,
    /// E3: the character before the first closing parenthesis, of the trimmed response.
    Paren,
    /// E3 without trimming.
    ParenUntrimmed,
    /// E4: the oldest LongVideoBench extractor, after MMMU's.
    Mmmu,
    /// All of the response, as an answer in words.
    Words,
}

/// How rows become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Averaging {
    /// Percent of all rows.
    Micro,
    /// Percent of the rows that a letter was found in.
    MicroOfParsed,
    /// Unweighted mean over the tasks, a task without rows counting 0.
    TaskMean,
    /// The same, a task without rows left out.
    TaskMeanOfPresent,
    /// Fraction of all rows (LongVideoBench's buckets add up to it).
    Fraction,
}

/// Prompt, extractor and averaging together, by the version of lmms-eval whose published numbers they reproduce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Profile {
    /// lmms-eval from 0.7.2.
    #[serde(rename = "videomme")]
    VideoMme,
    /// lmms-eval 0.3.0 to 0.7.1.
    #[serde(rename = "videomme-0.3")]
    VideoMme03,
    /// lmms-eval 0.2.2 to 0.2.4.
    #[serde(rename = "videomme-0.2.2")]
    VideoMme022,
    /// lmms-eval 0.2.0.
    #[serde(rename = "videomme-0.2.0")]
    VideoMme020,
    /// Video-MME's own script.
    #[serde(rename = "videomme-official")]
    VideoMmeOfficial,
    /// lmms-eval from 0.7.2.
    #[serde(rename = "mlvu")]
    Mlvu,
    /// lmms-eval 0.3.3 to 0.7.1.
    #[serde(rename = "mlvu-0.3.3")]
    Mlvu033,
    /// lmms-eval 0.3.2.
    #[serde(rename = "mlvu-0.3.2")]
    Mlvu032,
    /// lmms-eval 0.3.0 and 0.3.1.
    #[serde(rename = "mlvu-0.3.0")]
    Mlvu030,
    /// lmms-eval 0.2.2 to 0.2.4.
    #[serde(rename = "mlvu-0.2.2")]
    Mlvu022,
    /// MLVU's own script.
    #[serde(rename = "mlvu-official")]
    MlvuOfficial,
    /// lmms-eval from 0.3.0.
    #[serde(rename = "lvb")]
    Lvb,
    /// lmms-eval 0.2.0.post1 to 0.2.4.
    #[serde(rename = "lvb-0.2")]
    Lvb02,
    /// The question alone; right is who says one of the accepted answers and nothing else.
    #[serde(rename = "world")]
    World,
}

impl Profile {
    /// All of them, in the order of their documentation.
    pub const ALL: [Self; 14] = [
        Self::VideoMme,
        Self::VideoMme03,
        Self::VideoMme022,
        Self::VideoMme020,
        Self::VideoMmeOfficial,
        Self::Mlvu,
        Self::Mlvu033,
        Self::Mlvu032,
        Self::Mlvu030,
        Self::Mlvu022,
        Self::MlvuOfficial,
        Self::Lvb,
        Self::Lvb02,
        Self::World,
    ];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::VideoMme => "videomme",
            Self::VideoMme03 => "videomme-0.3",
            Self::VideoMme022 => "videomme-0.2.2",
            Self::VideoMme020 => "videomme-0.2.0",
            Self::VideoMmeOfficial => "videomme-official",
            Self::Mlvu => "mlvu",
            Self::Mlvu033 => "mlvu-0.3.3",
            Self::Mlvu032 => "mlvu-0.3.2",
            Self::Mlvu030 => "mlvu-0.3.0",
            Self::Mlvu022 => "mlvu-0.2.2",
            Self::MlvuOfficial => "mlvu-official",
            Self::Lvb => "lvb",
            Self::Lvb02 => "lvb-0.2",
            Self::World => "world",
        }
    }

    /// The benchmark that it belongs to.
    pub fn benchmark(self) -> Benchmark {
        match self {
            Self::VideoMme
            | Self::VideoMme03
            | Self::VideoMme022
            | Self::VideoMme020
            | Self::VideoMmeOfficial => Benchmark::VideoMme,
            Self::Mlvu
            | Self::Mlvu033
            | Self::Mlvu032
            | Self::Mlvu030
            | Self::Mlvu022
            | Self::MlvuOfficial => Benchmark::Mlvu,
            Self::Lvb | Self::Lvb02 => Benchmark::LongVideoBench,
            Self::World => Benchmark::World,
        }
    }

    /// How it reads letters.
    pub fn extractor(self) -> Extractor {
        match self {
            Self::VideoMme | Self::Mlvu => Extractor::Mcq,
            Self::VideoMme03 | Self::VideoMme022 | Self::VideoMme020 | Self::Mlvu030 => {
                Extractor::LetterLegacy
            }
            Self::VideoMmeOfficial => Extractor::LetterOfficial,
            Self::Mlvu033 | Self::Mlvu032 | Self::Mlvu022 => Extractor::Paren,
            Self::MlvuOfficial => Extractor::ParenUntrimmed,
            Self::Lvb => Extractor::LetterLvb,
            Self::Lvb02 => Extractor::Mmmu,
            Self::World => Extractor::Words,
        }
    }

    /// How it averages.
    pub fn averaging(self) -> Averaging {
        match self {
            Self::VideoMme | Self::VideoMme03 | Self::VideoMme022 | Self::VideoMme020 => Averaging::Micro,
            Self::VideoMmeOfficial => Averaging::MicroOfParsed,
            Self::Mlvu | Self::Mlvu033 | Self::Mlvu032 => Averaging::TaskMean,
            Self::MlvuOfficial => Averaging::TaskMeanOfPresent,
            Self::Mlvu030 | Self::Mlvu022 | Self::World => Averaging::Micro,
            Self::Lvb | Self::Lvb02 => Averaging::Fraction,
        }
    }
}

macro_rules! named {
    ($type:ty, $what:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.into_iter().find(|one| one.name() == text).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|one| one.name()).collect();
                    format!("unknown {} `{text}`: one of {}", $what, names.join(", "))
                })
            }
        }
    };
}

named!(Task, "task");
named!(Profile, "profile");

pub(crate) use named;
