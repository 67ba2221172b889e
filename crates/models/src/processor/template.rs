//! A conversation as the text that the model was trained on.

use super::jinja;
use super::named_tokens::{self, NamedTokens};
use crate::family::Family;
use crate::{ModelError, Result, files};
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::str::FromStr;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person asking.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// As chat templates spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What was said.
    pub content: String,
}

/// Which template renders a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TemplateKind {
    /// The one that the model's family was trained with.
    #[default]
    Trained,
    /// The checkpoint's own `chat_template`, as transformers applies it.
    Checkpoint,
}

impl FromStr for TemplateKind {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "trained" => Ok(Self::Trained),
            "checkpoint" => Ok(Self::Checkpoint),
            _ => Err(format!("unknown template `{s}`: trained (that of the model's family) or checkpoint")),
        }
    }
}

impl std::fmt::Display for TemplateKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Self::Trained { "trained" } else { "checkpoint" })
    }
}

/// What is said, and how it is framed.
#[derive(Debug, Clone, Copy)]
pub struct Conversation<'a> {
    /// Begins with a user's turn (where the video stands) and ends with one.
    pub turns: &'a [Turn],
    /// The system turn; None for the template's own.
    pub system: Option<&'a str>,
    /// What the answer is made to begin with.
    pub answer_prefix: &'a str,
    /// The first turn's words follow the visual tokens directly, without the template's line feed.
    pub frames_inline: bool,
}

impl<'a> From<&'a [Turn]> for Conversation<'a> {
    fn from(turns: &'a [Turn]) -> Self {
        Self { turns, system: None, answer_prefix: "", frames_inline: false }
    }
}

/// A prompt's text before and after the visual tokens; each piece is tokenised by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptText {
    /// Up to the visual tokens.
    pub before: String,
    /// From the visual tokens to where the answer begins.
    pub after: String,
}

/// Stands for the video while a template is rendered; no text can hold it, so a question cannot forge it.
pub const PLACEHOLDER: &str = "\u{0}video\u{0}";

/// What templates write where the video stands.
const VIDEO: &str = "<video>";
/// The same in the words of a turn, while a template is rendered: these are not where the video stands.
const MASKED_VIDEO: &str = "<\u{0}video>";

/// Files with a template are small; a larger one is something else.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The templates that a checkpoint can be asked with.
#[derive(Debug, Clone, Default)]
pub struct ChatTemplate {
    own: Option<String>,
    /// The tokens that templates know by name.
    tokens: NamedTokens,
}

impl ChatTemplate {
    /// Finds the checkpoint's chat template: `chat_template.jinja`, `chat_template.json`, or in `tokenizer_config.json`.
    pub fn read(folder: &Path) -> Result<Self> {
        Ok(Self { own: Self::source(folder)?, tokens: named_tokens::read(folder)? })
    }

    fn source(folder: &Path) -> Result<Option<String>> {
        let jinja = folder.join("chat_template.jinja");
        if jinja.exists() {
            return Ok(Some(files::read_text(&jinja, MAX_FILE_BYTES)?));
        }
        for name in ["chat_template.json", "processor_config.json", "tokenizer_config.json"] {
            let path = folder.join(name);
            if !path.exists() {
                continue;
            }
            let value: serde_json::Value =
                serde_json::from_str(&files::read_text(&path, MAX_FILE_BYTES)?).map_err(|e| {
                    ModelError::File { path, message: format!("not valid JSON ({e}); download it again") }
                })?;
            if let Some(own) = value.get("chat_template").and_then(template_text) {
                return Ok(Some(own.to_owned()));
            }
        }
        Ok(None)
    }

    /// A text-only model's template, with its named tokens.
    pub(crate) fn of_text(own: Option<&str>, tokens: NamedTokens) -> Self {
        Self { own: own.map(str::to_owned), tokens }
    }

    /// Renders a conversation without a video up to where the assistant's answer begins: by the checkpoint's template, else
    /// in the family's form.
    ///
    /// # Errors
    /// A template that cannot be rendered.
    pub fn render_text(&self, family: &dyn Family, conversation: &Conversation<'_>) -> Result<String> {
        let mut text = match &self.own {
            None => family.render(conversation),
            Some(own) => {
                let system = conversation.system.map(|content| context! { role => "system", content });
                let turns = conversation.turns.iter();
                let turns = turns.map(|turn| context! { role => turn.role.name(), content => &turn.content });
                let messages: Vec<_> = system.into_iter().chain(turns).collect();
                self.expand(own, messages)
                    .map_err(|e| ModelError::Tokenizer(format!("chat template of the checkpoint: {e}")))?
            }
        };
        text.push_str(conversation.answer_prefix);
        Ok(text)
    }

    /// Renders a conversation up to where the assistant's answer begins.
    ///
    /// # Errors
    /// A template that cannot be rendered, has no place for a video, or whose form around inline frames is not known.
    pub fn render(
        &self,
        family: &dyn Family,
        kind: TemplateKind,
        conversation: &Conversation<'_>,
    ) -> Result<PromptText> {
        let mut text = match kind {
            TemplateKind::Trained => family.render(conversation),
            TemplateKind::Checkpoint if conversation.frames_inline => {
                return Err(ModelError::Tokenizer(
                    "frames and text can be interleaved under the `trained` template only".into(),
                ));
            }
            TemplateKind::Checkpoint => self.checkpoint(family, conversation)?,
        };
        text.push_str(conversation.answer_prefix);
        let Some((before, after)) = text.split_once(PLACEHOLDER) else {
            return Err(ModelError::Tokenizer(
                "the checkpoint's chat template has no place for a video; use the `trained` template".into(),
            ));
        };
        Ok(PromptText { before: before.to_owned(), after: after.to_owned() })
    }

    fn checkpoint(&self, family: &dyn Family, conversation: &Conversation<'_>) -> Result<String> {
        let source = self.own.as_deref().or(family.usual_template()).ok_or_else(|| {
            ModelError::Tokenizer("the checkpoint has no chat template; use the `trained` template".into())
        })?;
        let system = conversation.system.map(|text| {
            let content = vec![context! { type => "text", text => text.replace(VIDEO, MASKED_VIDEO) }];
            context! { role => "system", content }
        });
        let turns = conversation.turns.iter().enumerate().map(|(i, turn)| message(turn, i == 0));
        let messages: Vec<_> = system.into_iter().chain(turns).collect();
        let text = self.expand(source, messages).map_err(|e| {
            ModelError::Tokenizer(format!("chat template of the checkpoint: {e}; use the `trained` template"))
        })?;
        Ok(text.replacen(VIDEO, PLACEHOLDER, 1).replace(MASKED_VIDEO, VIDEO))
    }

    /// Renders `source` with what transformers hands to every template.
    fn expand(&self, source: &str, messages: Vec<Value>) -> Result<String, String> {
        let (tools, documents) = ((), ());
        let tokens = Value::from_pairs(self.tokens.clone());
        jinja::render(
            source,
            context! { messages, tools, documents, add_generation_prompt => true, ..tokens },
        )
    }
}

impl From<Option<String>> for ChatTemplate {
    fn from(own: Option<String>) -> Self {
        Self { own, tokens: NamedTokens::default() }
    }
}

/// A template, or the one called `default` (else the first) of a list of named ones.
fn template_text(value: &serde_json::Value) -> Option<&str> {
    let Some(list) = value.as_array() else { return value.as_str() };
    let default = list.iter().find(|t| t.get("name").is_some_and(|name| name == "default"));
    default.or(list.first())?.get("template")?.as_str()
}

fn message(turn: &Turn, with_video: bool) -> Value {
    let text = context! { type => "text", text => turn.content.replace(VIDEO, MASKED_VIDEO) };
    let content = if with_video { vec![context! { type => "video" }, text] } else { vec![text] };
    context! { role => turn.role.name(), content }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::llava::Llava;

    const FAMILY: &dyn Family = &Llava::OneVision;

    fn turns() -> Vec<Turn> {
        let turn = |role, content: &str| Turn { role, content: content.into() };
        vec![
            turn(Role::User, "What?"),
            turn(Role::Assistant, "A cat."),
            turn(Role::User, "Where is <video>?"),
        ]
    }

    #[test]
    fn qwen_1_5_is_the_trained_form_of_llava() {
        let text =
            ChatTemplate::default().render(FAMILY, TemplateKind::Trained, &turns()[..].into()).unwrap();
        assert_eq!(
            text.before,
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        );
        assert_eq!(
            text.after,
            "\nWhat?<|im_end|>\n<|im_start|>assistant\nA cat.<|im_end|>\n<|im_start|>user\nWhere is <video>?<|im_end|>\n<|im_start|>assistant\n"
        );
    }

    #[test]
    fn system_turn_answer_prefix_and_inline_frames_take_their_places() {
        let turns = &turns()[..1];
        let conversation = Conversation {
            turns,
            system: Some("Look."),
            answer_prefix: "Best Option: (",
            frames_inline: true,
        };
        let template = ChatTemplate::default();
        let text = template.render(FAMILY, TemplateKind::Trained, &conversation).unwrap();
        assert_eq!(text.before, "<|im_start|>system\nLook.<|im_end|>\n<|im_start|>user\n");
        assert_eq!(text.after, "What?<|im_end|>\n<|im_start|>assistant\nBest Option: (");
        assert!(template.render(FAMILY, TemplateKind::Checkpoint, &conversation).is_err());
        let conversation = Conversation { frames_inline: false, ..conversation };
        let text = template.render(FAMILY, TemplateKind::Checkpoint, &conversation).unwrap();
        assert_eq!(text.before, "<|im_start|>system\nLook.<|im_end|>\n<|im_start|>user\n");
        assert_eq!(text.after, "\nWhat?<|im_end|>\n<|im_start|>assistant\nBest Option: (");
    }

    #[test]
    fn converter_form_where_the_checkpoint_has_no_template() {
        let text =
            ChatTemplate::default().render(FAMILY, TemplateKind::Checkpoint, &turns()[..1].into()).unwrap();
        assert_eq!(text.before, "<|im_start|>user\n");
        assert_eq!(text.after, "\nWhat?<|im_end|>\n<|im_start|>assistant\n");
    }

    #[test]
    fn template_without_a_video_is_refused_and_an_endless_one_ends() {
        let own = |t: &str| ChatTemplate::from(Some(t.to_owned()));
        assert!(
            own("{{ messages[0].role }}")
                .render(FAMILY, TemplateKind::Checkpoint, &turns()[..].into())
                .is_err()
        );
        let endless = "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}";
        assert!(own(endless).render(FAMILY, TemplateKind::Checkpoint, &turns()[..].into()).is_err());
        assert!(own("{% if %}").render(FAMILY, TemplateKind::Checkpoint, &turns()[..].into()).is_err());
    }
}
