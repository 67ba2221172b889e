//! The parts of a checkpoint, from wherever they lie: the files of a folder, or one GGUF file.

use crate::config::ModelConfig;
use crate::families::text;
use crate::processor::{ChatTemplate, TextTokenizer, named_tokens};
use crate::weights::{Checkpoint, NameMap, gguf_alone};
use crate::{ModelError, Result};
use std::path::Path;

/// What a description is made of.
pub(crate) struct Parts {
    pub(crate) config: ModelConfig,
    pub(crate) tokenizer: TextTokenizer,
    pub(crate) template: ChatTemplate,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) names: NameMap,
}

impl Parts {
    /// Reads a folder, or a GGUF file that is a checkpoint by itself.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        match gguf_alone(path)? {
            Some(file) => Self::of_gguf(&file),
            None => Self::of_folder(path),
        }
    }

    fn of_folder(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(ModelError::File {
                path: folder.into(),
                message: "no such checkpoint folder".into(),
            });
        }
        let mut config = ModelConfig::read(folder)?;
        let tokenizer = TextTokenizer::read(folder, &config.eos_token_ids, config.family.end_of_turn())?;
        let template = ChatTemplate::read(folder)?;
        let mut checkpoint = Checkpoint::open(folder)?;
        let names = NameMap::detect(&checkpoint, config.family.spellings());
        if let Some(metadata) = checkpoint.take_language_model(&names)? {
            text::check_same(&metadata, &config.decoder)?;
        }
        // A head that is there is used whatever the flags say: saving a model with a merged adapter leaves one that differs
        // from the embeddings, and transformers ties none that does.
        config.decoder.tied_head &= checkpoint.info(&names.on_disk("head.weight")).is_none();
        Ok(Self { config, tokenizer, template, checkpoint, names })
    }

    fn of_gguf(file: &Path) -> Result<Self> {
        let (checkpoint, names, metadata) = Checkpoint::of_gguf(file, text::SPELLINGS)?;
        let tied_head = checkpoint.info(&names.on_disk("head.weight")).is_none();
        let config = text::read(&metadata, tied_head)?;
        let tokenizer = TextTokenizer::from_gguf(&metadata)?;
        let tokens = named_tokens::of_gguf(&metadata, |id| tokenizer.token(id))?;
        let own = metadata.text("tokenizer.chat_template")?;
        let template = ChatTemplate::of_text(own, tokens);
        Ok(Self { config, tokenizer, template, checkpoint, names })
    }
}
