//! Frames to pixels, conversations to token ids: everything before the first tensor operation.

mod bpe;
mod jinja;
pub(crate) mod named_tokens;
mod pixels;
pub mod resize;
mod tags;
mod template;
mod tojson;
mod tokenizer;
mod tokenizer_files;
mod tokenizer_gguf;
mod tokenizer_parts;

pub use pixels::{FrameFit, PixelSettings, Preprocessor, RgbFrame};
pub use template::{ChatTemplate, Conversation, PLACEHOLDER, PromptText, Role, TemplateKind, Turn};
pub use tokenizer::TextTokenizer;
