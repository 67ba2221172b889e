//! MLVU's prompts.

use super::{Prompt, PromptSettings};
use crate::data::lmms_mlvu_question;
use crate::extract::python::trim_end;
use crate::{Profile, PromptKey, Sample, Task};

const OFFICIAL_SYSTEM: &str = "Carefully watch this video and pay attention to every detail. Based on your \
    observations, select the best option that accurately addresses the question.";

pub(super) fn build(settings: &PromptSettings, sample: &Sample) -> Prompt {
    if settings.profile == Profile::MlvuOfficial {
        return official(sample);
    }
    let question = lmms_mlvu_question(sample);
    let text = match (settings.profile, settings.task, settings.key) {
        (Profile::Mlvu032 | Profile::Mlvu030 | Profile::Mlvu022, ..) => {
            format!("\n{question}\nOnly give the best option.\n\nBest option: (")
        }
        (_, Task::MlvuTest, _) => question,
        (_, _, PromptKey::Plm) => format!("{question}\nOnly give the best option."),
        _ => format!("{question}\nOnly give the best option.\nBest option: ("),
    };
    text.into()
}

/// Of MLVU's own script, which lets the assistant's turn begin with an open parenthesis and samples mildly.
fn official(sample: &Sample) -> Prompt {
    let mut question = format!("Question: {}\n", sample.question);
    // Where the options are inside the question already, it has no place for the heading.
    if !sample.options.is_empty() {
        question.push_str("Options:\n");
    }
    for (letter, option) in ('A'..='Z').zip(&sample.options) {
        question.push_str(&format!("({letter}) {option}\n"));
    }
    Prompt {
        text: format!("{}Only give the best option.", trim_end(&question)),
        system: Some(OFFICIAL_SYSTEM.into()),
        answer_prefix: "Best Option: (".into(),
        temperature: Some(0.1),
        interleaved: None,
    }
}
