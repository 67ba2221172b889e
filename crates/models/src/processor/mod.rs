//! Frames to pixels, conversations to token ids: everything before the first tensor operation.

mod bpe;
mod pixels;
pub mod resize;
mod template;
mod tokenizer;
mod tokenizer_files;
mod tokenizer_gguf;

pub use pixels::{FrameFit, PixelSettings, Preprocessor, RgbFrame};
pub use template::{ChatTemplate, Conversation, PLACEHOLDER, PromptText, Role, TemplateKind, Turn};
pub use tokenizer::TextTokenizer;
